"""Chosen windows with their pixels and what the models say of each: read once more, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sweep.next.scan import Looked, WindowReading
from sweep.next.windows import CandidateWindow, Unlabelled, read_windows
from sweep.results.ensemble import Ensemble
from sweep.results.model_rasters import open_for_model
from trainables.scoring import decide
from trainables.windows import predict_by_windows


@dataclass(frozen=True, kw_only=True)
class ChosenTile:
    """A window that a person is asked to label.

    Attributes:
        rank: From 1, the one to label first.
        window: Where it is.
        raster: Whence.
        image: (H, W, N) uint8, as a model sees it.
        stored: (H, W, N) as a dataset's tile stores it.
        mask: (H, W) uint8 predicted class indices.
        unsure: (H, W) float32 entropy of the prediction as a share of its largest value.
        entropy: Mean of that.
        disagreement: Of the models, see ``Pool``; NaN for a single model.
        shares: Predicted share of each class.
        place: ``transform``, ``crs`` of its pixels, as a manifest holds them; empty where nobody knows.
        crs_wkt: The same CRS as WKT; empty likewise.
    """

    rank: int
    window: CandidateWindow
    raster: Unlabelled
    image: NDArray[np.uint8]
    stored: NDArray[Any]
    mask: NDArray[np.uint8]
    unsure: NDArray[np.float32]
    entropy: float
    disagreement: float
    shares: Sequence[float]
    place: Mapping[str, Any]
    crs_wkt: str

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) float64 of its corners in its CRS; in pixels of its raster where it has none."""
        window = self.window
        ends = np.array([[0, 0], [window.width, 0], [window.width, window.height], [0, window.height]], np.float64)
        if not self.place:
            moved: NDArray[np.float64] = ends + np.array([window.left, window.top])
            return moved
        a, b, c, d, e, f = self.place["transform"]
        found: NDArray[np.float64] = ends @ np.array([[a, d], [b, e]]) + np.array([c, f])
        return found


def read_chosen(
    order: Sequence[int], looked: Looked, rasters: Sequence[Unlabelled], ensemble: Ensemble, reading: WindowReading
) -> Iterator[ChosenTile]:
    """Yield chosen windows, raster by raster.

    Args:
        order: Their numbers in ``looked``, the one to label first first.
        looked: All windows.
        rasters: All rasters.
        ensemble: Predicts them.
        reading: How rasters are read.

    Raises:
        DataError: A block is damaged.
    """
    rank = {number: place + 1 for place, number in enumerate(order)}
    in_order = sorted(order)
    for source in dict.fromkeys(looked.windows[number].source for number in in_order):
        own = {looked.windows[number].name: number for number in in_order if looked.windows[number].source == source}
        raster_of = rasters[source]
        with open_for_model(
            raster_of.path, ensemble, bands=reading.bands, scale=reading.scale, skip_bad=reading.skip_bad
        ) as raster:
            crs_wkt = raster.dataset.crs.to_wkt() if raster.dataset.crs is not None else ""
            for window, pixels in read_windows(raster, [looked.windows[number] for number in own.values()]):
                number = own[window.name]
                stored = np.moveaxis(pixels.image, 0, 2)
                if ensemble.best.imagery.stored != "uint8":
                    stored = np.moveaxis(raster.values(window.rows, window.columns)[0], 0, 2).astype(np.uint16)
                mask, unsure = _predict(pixels.image, ensemble)
                pool = looked.pool
                yield ChosenTile(
                    rank=rank[number],
                    window=window,
                    raster=raster_of,
                    image=np.ascontiguousarray(np.moveaxis(pixels.image, 0, 2)),
                    stored=np.ascontiguousarray(stored),
                    mask=mask,
                    unsure=unsure,
                    entropy=float(pool.entropy[number]),
                    disagreement=float(pool.disagreement[number]) if pool.disagreement.any() else float("nan"),
                    shares=[float(one) for one in pool.shares[number]],
                    place=_place(raster.dataset, window),
                    crs_wkt=crs_wkt if _place(raster.dataset, window) else "",
                )


def _predict(image: NDArray[np.uint8], ensemble: Ensemble) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the (H, W) classes of (N, H, W), and the entropy of each pixel as a share of its largest value."""
    with torch.inference_mode():
        (logits,) = predict_by_windows(
            ensemble.forward, [torch.from_numpy(image)], window=ensemble.window, batch_size=ensemble.batch_size
        )
        logits = logits.float()
        both = torch.cat([-logits, logits]) / 2 if len(logits) == 1 else logits  # sigmoid is softmax of halves
        probabilities = both.softmax(0)
        entropy = torch.special.entr(probabilities).sum(0) / float(np.log(len(probabilities)))
        return decide(logits).byte().cpu().numpy(), entropy.cpu().numpy().astype(np.float32)


def _place(dataset: Any, window: CandidateWindow) -> dict[str, Any]:
    """Return where a window's pixels are on the ground, as a manifest holds it."""
    matrix = dataset.transform
    if dataset.crs is None or matrix.is_identity or matrix.is_degenerate:
        return {}
    x = matrix.a * window.left + matrix.b * window.top + matrix.c
    y = matrix.d * window.left + matrix.e * window.top + matrix.f
    return {"transform": [matrix.a, matrix.b, x, matrix.d, matrix.e, y], "crs": dataset.crs.to_string()}
