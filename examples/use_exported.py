"""Predict an image of any size with an exported model: what ``python -m tilesweep.examples.use_exported`` does.

    python examples/use_exported.py model.onnx image.png mask.png

The program itself is ``tilesweep/examples/use_exported.py``, a single file that needs numpy and onnxruntime alone.
"""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "tilesweep" / "examples" / "use_exported.py"), run_name="__main__")
