"""Serve a trained model over HTTP with Ray Serve: POST a PNG or JPEG of any size, get its mask as a PNG, upright.

    python examples/serve.py --model phase1-demo
    curl --data-binary @photo.jpg http://127.0.0.1:8000/ -o mask.png

Needs: pip install 'tilesweep[serve]'. Requests that come close together are predicted as one batch of windows.
"""

import argparse
import asyncio
import io
import sys
from dataclasses import replace

import numpy as np
import ray
import torch
from PIL import Image, ImageOps

from sweep.results.trained_models import find_models
from trainables.data.imagery import RGB
from trainables.errors import TilesweepError
from trainables.inference import choose_device, ready
from trainables.overlays import mask_picture
from trainables.scoring import decide
from trainables.storage import Storage
from trainables.windows import predict_by_windows

try:
    from ray import serve
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError as error:
    sys.exit(f"error: {error}; install what serves: pip install 'tilesweep[serve]'")


BIT_DEPTH = 24
"""Where a PNG says how many bits a value has, in bytes from its beginning (ISO/IEC 15948, 11.2.1)."""


def read_picture(body):
    """Return a PNG or JPEG as (H, W, 3) uint8 RGB, upright like sweep.predict's, or say in a line what is wrong."""
    try:
        picture = Image.open(io.BytesIO(body), formats=("PNG", "JPEG"))
        if picture.format == "PNG" and body[BIT_DEPTH] == 16:
            return "the body is a PNG of 16 bits; convert it to 8 bits, as the model was trained on"
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"the body is no PNG or JPEG ({type(error).__name__}); POST the file itself"


@serve.deployment
class Segmenter:
    """One copy of the model; `num_replicas` in `.options()` makes more."""

    def __init__(self, weights_file):
        """Rebuild the model: `weights_file` is a ChosenModel, so replicas need no storage."""
        model, best = weights_file.load()
        self.window, self.batch_size = best.recipe.crop_size, best.recipe.batch_size
        self.task = best.task
        self.forward = ready(model, best.recipe, choose_device("auto"))

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.02)
    async def masks(self, images):
        """Return the (H, W) uint8 mask of each (3, H, W) image."""
        return await asyncio.to_thread(self.predict, images)

    def predict(self, images):
        """Predict a batch; called outside the event loop, which takes requests meanwhile."""
        logits = predict_by_windows(self.forward, images, window=self.window, batch_size=self.batch_size)
        return [decide(one).byte().cpu().numpy() for one in logits]

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        image = read_picture(await request.body())
        if isinstance(image, str):
            return Response(f"{image}\n", 400)
        mask = await self.masks(torch.from_numpy(image).permute(2, 0, 1))
        picture = io.BytesIO()
        mask_picture(mask, self.task).save(picture, "PNG")
        return Response(picture.getvalue(), media_type="image/png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="NAME, NAME/TRIAL or FILE.safetensors")
    parser.add_argument("--storage", default="ray_results", help="folder or URI that holds experiments")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    try:
        (chosen,) = find_models(Storage.open(options.storage), options.model)
        imagery = chosen.load()[1].imagery
    except TilesweepError as mistake:
        sys.exit(f"error: {mistake}")
    if imagery != RGB:
        sys.exit(f"error: {chosen.name} takes {imagery.summary}, which no photo holds; use python -m sweep.predict")
    ray.init(address="local")
    serve.start(http_options={"host": "127.0.0.1", "port": options.port})
    serve.run(Segmenter.bind(replace(chosen, experiment=None)), blocking=True)
