"""A STAC item of an exported model, with the Machine Learning Model extension (MLM).

Source: https://github.com/stac-extensions/mlm, version 1.4. A model has no place on earth, so its geometry is null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STAC_VERSION = "1.1.0"
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
TASK = "semantic-segmentation"
ARTIFACTS = {
    ".onnx": ("onnx", "application/octet-stream; framework=onnx"),
    ".pt2": ("torch.export.save", "application/octet-stream; framework=pytorch"),
    ".safetensors": ("safetensors", "application/octet-stream; framework=safetensors"),
}
"""Ending to what the extension calls an artifact's type, and to its media type."""


def stac_path(out: Path) -> Path:
    """Return where the item of an exported file is."""
    return out.with_name(f"{out.name}.stac.json")


def _hyperparameters(about: Mapping[str, Any]) -> dict[str, Any]:
    found = {"temperature": about["temperature"], "threshold": about["threshold"]}
    unused = about.get("calibration", {}).get("not_applied")
    return found if unused is None else {**found, "temperature_not_applied": unused}


def stac_item(about: Mapping[str, Any], out: Path, card: Path) -> dict[str, Any]:
    """Return the item.

    Args:
        about: What the file says of itself.
        out: The file.
        card: Its model card, beside it.
    """
    artifact, media = ARTIFACTS[out.suffix]
    bands = [{"name": name} for name in about["input"]["bands"]]
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [MLM],
        "id": re.sub(r"[^A-Za-z0-9._-]+", "-", about["name"]),
        "geometry": None,
        "properties": {
            "datetime": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "description": f"{about['title']}, trained on {about['data']['name']}",
            "bands": bands,  # STAC allows them here where an asset has them, and MLM demands them here
            "mlm:name": about["name"],
            "mlm:architecture": about["architecture"],
            "mlm:tasks": [TASK],
            "mlm:framework": "pytorch",
            "mlm:framework_version": about["versions"]["torch"],
            "mlm:accelerator": None,
            "mlm:pretrained": bool(about["weights"]["sha256"]),
            "mlm:pretrained_source": about["weights"]["encoder_started_from"],
            "mlm:hyperparameters": _hyperparameters(about),
            "mlm:input": [_input(about)],
            "mlm:output": [_output(about)],
        },
        "links": [],
        "assets": {
            "model": {
                "href": f"./{out.name}",
                "type": media,
                "title": about["title"],
                "roles": ["mlm:model", "mlm:weights"],
                "mlm:artifact_type": artifact,
                "bands": bands,
            },
            "card": {"href": f"./{card.name}", "type": "text/markdown", "title": "model card", "roles": ["metadata"]},
        },
    }


def _input(about: Mapping[str, Any]) -> dict[str, Any]:
    given = about["input"]
    return {
        "name": given["name"],
        "bands": list(given["bands"]),
        "input": {
            "shape": _shape(given["shape"]),
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": given["dtype"],
        },
        "description": given["meaning"],
    }


def _output(about: Mapping[str, Any]) -> dict[str, Any]:
    given = about["output"]
    colours = ("{:02x}{:02x}{:02x}".format(*colour) for colour in about["colours"])
    return {
        "name": given["name"],
        "tasks": [TASK],
        "result": {
            "shape": _shape(given["shape"]),
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": given["dtype"],
        },
        "classification:classes": [
            {"value": value, "name": name, "description": name, "color_hint": colour}
            for value, (name, colour) in enumerate(zip(about["classes"], colours, strict=True))
        ],
        "description": given["meaning"],
    }


def _shape(shape: list[Any]) -> list[int]:
    """Return a shape with -1 for what is free."""
    return [one if isinstance(one, int) else -1 for one in shape]
