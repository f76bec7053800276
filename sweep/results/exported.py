"""What an exported weights file says of itself beside its tensors."""

from __future__ import annotations

from contextlib import suppress

from sweep.records.calibrations import CalibrationShape, check_calibration
from trainables.documents import MIB, DamagedError, parse_json

EXPORT_KEY = "tilesweep.export"
"""Under which an exported ``.safetensors`` keeps JSON."""
LONGEST_HEADER = 100 * MIB
"""Of a safetensors file, by its format."""


def exported_calibration(weights_file: bytes) -> CalibrationShape | None:
    """Return the calibration in an exported file; None where it has none, or was written by a training.

    Args:
        weights_file: Content of a ``.safetensors``: eight bytes of the header's length, then the header, which is JSON.
    """
    length = int.from_bytes(weights_file[:8], "little")
    if length > LONGEST_HEADER:
        return None
    with suppress(DamagedError, KeyError, AttributeError):
        header = parse_json(weights_file[8 : 8 + length], dict[str, dict[str, object]], LONGEST_HEADER)
        about = parse_json(str(header["__metadata__"][EXPORT_KEY]), dict[str, object])
        return check_calibration(about["calibration"])
    return None
