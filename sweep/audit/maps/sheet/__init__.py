"""The page on which a person labels the points of a sample: one HTML file."""
