"""Labels that are probably wrong: out-of-fold predictions against the masks of train and val tiles."""
