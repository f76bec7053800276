"""Reading source rasters and masks, whole or by parts."""
