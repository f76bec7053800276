"""The study's augmentation presets: what is drawn for a view, and three ways of carrying it out."""
