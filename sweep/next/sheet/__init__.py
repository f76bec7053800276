"""The contact sheet of chosen tiles: one HTML file with nothing outside of it."""
