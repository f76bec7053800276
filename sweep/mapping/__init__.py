"""Maps: what a trained model finds in a raster that lies on the earth."""
