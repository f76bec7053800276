"""The contact sheet: one HTML file with all tiles and their masks, those that look wrong first."""
