"""``--foreground``: which values of a mask are foreground, and what to say where that is not clear."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.patches.rasters.area import Area
from sweep.patches.rasters.mask_files import count_distinct, mask_pixels, require_mask
from sweep.patches.rasters.reader import RasterFile, opened_raster
from trainables.errors import DataError
from trainables.escaping import visible

MAX_INDEX = 65_535
THRESHOLD = r">\s*(\d{1,9}(?:\.\d{1,9})?)"
LOW, HIGH = 64, 191
"""Values of 8 bits up to and from which a pixel of a smoothed black and white mask is surely of one side."""
MIN_SURE = 0.8
"""Share of such pixels from which a mask of many values is taken for a smoothed one."""
MANY_VALUES = 16
SHOWN = 6
UNSURE_TASK = json.dumps({"classes": ["background", "foreground"], "ignores": True})
"""What a task file holds for masks of 0, 1 and 255, where 255 was not labelled."""


@dataclass(frozen=True)
class Rule:
    """What ``--foreground`` says.

    Attributes:
        index: This value is foreground.
        colour: This colour is.
        above: Values above this one are.
    """

    index: int | None = None
    colour: tuple[int, int, int] | None = None
    above: float | None = None


def parse_foreground(text: str) -> Rule:
    """Parse ``--foreground``: empty, an index, a colour, or a threshold such as ``>127``.

    Raises:
        DataError: Something else.
    """
    if not text:
        return Rule()
    if matched := re.fullmatch(THRESHOLD, text.strip(), re.ASCII):
        return Rule(above=float(matched[1]))
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"\d{1,5}", part, re.ASCII) for part in parts):
        numbers = [int(part) for part in parts]
        if len(numbers) == 1 and numbers[0] <= MAX_INDEX:
            return Rule(index=numbers[0])
        if len(numbers) == 3 and max(numbers) <= 255:
            return Rule(colour=(numbers[0], numbers[1], numbers[2]))
    raise DataError(
        f"--foreground {visible(text[:40])}: give an index (3, up to {MAX_INDEX}), a colour (60,16,152, each up to "
        f'255) or a threshold (">127", in quotes)'
    )


@dataclass
class ForegroundReader:
    """Reads the masks of a dataset by one rule.

    Attributes:
        rule: What ``--foreground`` says.
        values: Without a rule: the value that is foreground, and the first mask that holds it.
        counted: Masks of which all values have been looked at.
    """

    rule: Rule
    values: dict[float, Path] = field(default_factory=dict)
    counted: set[Path] = field(default_factory=set)

    def read(self, raster: RasterFile, area: Area) -> NDArray[np.uint8]:
        """Read an area of a mask as (H, W) uint8: 1 for foreground.

        What decides which values are foreground is the whole mask, which is gone through once, strip by strip; of a
        small one, the area is then taken out of what was read for that.

        Args:
            raster: The mask's header.
            area: Which part.

        Raises:
            DataError: Damaged, not of the coding that the rule says, or one whose foreground is not clear.
        """
        path, rule = raster.path, self.rule
        if rule.colour is not None:
            if raster.lossy:
                raise DataError(f"{path}: is compressed as JPEG, which blurs colours; export the masks as PNG")
            colours = mask_pixels(raster, raster.read(area)).colours()
            return np.asarray((colours == np.array(rule.colour)).all(-1).astype(np.uint8))
        whole = None
        if rule.above is None:
            whole = self._require_sound(raster)
        elif raster.palette is not None:
            raise DataError(f"{path}: has a palette, of whose indices none is more; give --foreground INDEX")
        stored = raster.read(area) if whole is None else whole[area.rows, area.columns]
        values = mask_pixels(raster, stored).values("say which colour is foreground: --foreground R,G,B")
        if rule.above is not None:
            return np.asarray((values > rule.above).astype(np.uint8))
        return np.asarray((values > 0 if rule.index is None else values == rule.index).astype(np.uint8))

    def _require_sound(self, raster: RasterFile) -> NDArray[Any] | None:
        """Look once at all values of a mask, and refuse it where it is not clear which of them are foreground.

        Returns:
            What ``RasterFile.read`` gives of all of it, if it is small and was read for this.
        """
        path = raster.path
        if path in self.counted or (self.rule.index is not None and not raster.lossy):
            return None
        whole = raster.read() if raster.small else None
        found, counts = count_distinct(raster, None if whole is None else (whole,))
        if self.rule.index is None:
            _require_clear(raster, found, counts)
            self._require_one_value(path, found)
        elif len(found) > 2:
            raise DataError(
                f"{path}: is compressed as JPEG, which blurs indices; for black and white say --foreground "
                f'">127", else export the masks as PNG'
            )
        self.counted.add(path)
        return whole

    def _require_one_value(self, path: Path, found: NDArray[Any]) -> None:
        """Refuse masks that each hold one class, but not the same one: together they are several classes."""
        for value in found[found > 0].tolist():
            self.values.setdefault(value, path)
        others = sorted(set(self.values) - {1, 255}) or sorted(self.values)
        if len(self.values) > 1 and set(self.values) != {1, 255}:
            value = others[-1]
            other = next(one for one in self.values if one != value)
            raise DataError(
                f"{path}: masks of one class hold one value, but {self.values[value].name} holds {value:g} and "
                f"{self.values[other].name} {other:g}; say which is foreground, such as --foreground {value:g}, or "
                f"what each means: --task FILE"
            )


def values_held(path: Path) -> str:
    """Say which values a mask holds, or that it has colours.

    Raises:
        DataError: Damaged.
    """
    with opened_raster(path) as raster:
        require_mask(raster)
        return "colours" if raster.bands - raster.alpha == 3 else _listed(count_distinct(raster)[0].tolist())


def _require_clear(mask: RasterFile, found: NDArray[Any], counts: NDArray[np.int64]) -> None:
    """Refuse a mask of which it is not clear what is foreground, and say what makes it so."""
    path, values = mask.path, found.tolist()
    if any(isinstance(value, float) and math.isnan(value) for value in values):
        raise DataError(f"{path}: holds NaN; save it with 0 for background")
    nodata = mask.nodata
    if nodata in values and nodata != 0:
        raise DataError(
            f"{path}: holds {_listed(values)}, of which {nodata:g} is declared to be no data; {_ignore_advice(values)}"
        )
    if len(values) == 2 and values[0] == 0 and _shown_inverted(mask, values):
        raise DataError(
            f"{path}: its palette shows the value 0 white and {values[1]} black; say which is foreground: "
            f"--foreground 0 for what is shown white, --foreground {values[1]} for what is shown black"
        )
    if (len(values) <= 1 and min(values, default=0) >= 0) or (len(values) == 2 and values[0] == 0):
        return
    raise DataError(f"{path}: holds {_listed(values)}; {_advice(mask, found, counts)}")


def _advice(mask: RasterFile, found: NDArray[Any], counts: NDArray[np.int64]) -> str:
    values = found.tolist()
    if set(values) == {0, 1, 255}:
        return _ignore_advice(values)
    low, high = values[0], values[-1]
    lossy = mask.lossy or len(values) > MANY_VALUES
    sure = float(counts[(found <= LOW) | (found >= HIGH)].sum() / counts.sum())
    two_ends = all(value <= LOW or value >= HIGH for value in values) and not set(values) <= {0, 255}
    if mask.palette is None and low <= LOW and HIGH <= high <= 255:
        if two_ends or (lossy and sure >= MIN_SURE):
            return 'black and white with blurred edges or noise; say --foreground ">127"'
        if lossy:
            return (
                'too many for classes; if it is a noisy mask of black and white say --foreground ">127", else save '
                "class indices as PNG"
            )
    if mask.lossy:
        return "compressed as JPEG, which blurs indices; export the masks as PNG"
    middle = f"{(float(low) + float(high)) / 2:.6f}".rstrip("0").rstrip(".")
    if len(values) > MANY_VALUES and re.fullmatch(THRESHOLD, f">{middle}"):
        return f'a threshold makes a mask of it, such as --foreground ">{middle}"; else save class indices as PNG'
    if high > MAX_INDEX or any(value != int(value) for value in values):
        return "save it with 0 for background and 1 for foreground"
    return f"say which is foreground, such as --foreground {high:.0f}, or what each means: --task FILE"


def _ignore_advice(values: list[float]) -> str:
    if set(values) <= {0, 1, 255}:
        return f"if 255 means not labelled, say --task FILE with {UNSURE_TASK}; else say --foreground 1"
    return 'name each value in --task FILE, with "remap" to "ignore" for what was not labelled'


def _shown_inverted(mask: RasterFile, values: list[int]) -> bool:
    """Whether a palette shows value 0 white and the other one black, as programs do that order colours by use."""
    if mask.palette is None:
        return False
    first, second = (mask.palette[value] for value in values)
    return bool((first == 255).all() and (second == 0).all())


def _listed(values: list[float]) -> str:
    """Show values: all of them, or those at both ends and how many there are."""
    shown = [f"{value:g}" for value in values]
    if len(shown) <= SHOWN:
        return f"the values {', '.join(shown)}"
    half = SHOWN // 2
    return f"{len(shown)} values ({', '.join(shown[:half])}, ..., {', '.join(shown[-half:])})"
