"""The folder that a labelling program opens: tiles, and the model's own outlines to begin with."""
