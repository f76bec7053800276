"""From a trained model to a map: rasters in, masks and polygons out."""
