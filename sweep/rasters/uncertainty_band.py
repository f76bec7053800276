"""What a raster of uncertainties says of itself, for those who write and read one."""

from __future__ import annotations

NODATA = 255
"""Nothing is known here."""
MEANING = "UNCERTAINTY"
"""The band's metadata that says what its values are."""
ENTROPY = "entropy of the predicted probability as a share of its largest: 0 is certain, 1 is even odds"
DISAGREEMENT = (
    "disagreement of the models: mutual information of class and model as a share of the largest entropy; 0 is none"
)
