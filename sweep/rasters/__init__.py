"""The one reader of images and rasters: which bands, how their values become bytes, which pixels hold anything."""
