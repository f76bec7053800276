"""The page of labels that are probably wrong: one HTML file."""
