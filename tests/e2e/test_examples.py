"""The example programs, run as their docstrings say."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sweep.cli.console import open_output
from sweep.export.command import ExportOptions, main
from tests.bands import WORDS, write_nir
from tests.commands import environment
from tests.conftest import ROOT, WriteDataset
from tests.models import write_best
from trainables.checkpoints import load_best
from trainables.data.tiles import TuningData
from trainables.scoring import forward_on
from trainables.windows import predict_by_windows

NO_TILESWEEP = "import sys; sys.modules.update(dict.fromkeys(('tilesweep', 'sweep', 'trainables', 'torch'))); "


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path_factory.mktemp("examples") / "patches", size=128)


def _image(patches: Path, height: int, width: int) -> np.ndarray:
    """Return a tile, repeated up to a size."""
    tile = TuningData.read(patches).val[0].image
    return np.tile(tile, (height // 128 + 1, width // 128 + 1, 1))[:height, :width]


def _logits(file: Path, image: np.ndarray) -> np.ndarray:
    """Return what tilesweep predicts, (H, W)."""
    model, best = load_best(file)
    forward = forward_on(model, torch.device("cpu"), torch.float32)
    (logits,) = predict_by_windows(forward, [torch.tensor(image).permute(2, 0, 1)], window=best.recipe.crop_size)
    return logits[0].numpy()


@pytest.mark.parametrize("architecture", ["unet", pytest.param("sam_vit_b_unet", marks=pytest.mark.slow)])
def test_onnxruntime_and_numpy_alone_give_tilesweep_s_mask(architecture: str, patches: Path, tmp_path: Path) -> None:
    file = write_best(tmp_path / "best.safetensors", patches, architecture)
    main(ExportOptions(model=str(file), patches=patches, out=tmp_path / "m.onnx"), open_output())
    for height, width in ((201, 150), (70, 333)):
        image = _image(patches, height, width)
        np.save(tmp_path / "image.npy", image)
        script = NO_TILESWEEP + "import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
        words = [ROOT / "examples" / "use_exported.py", tmp_path / "m.onnx", tmp_path / "image.npy", tmp_path / "o.npy"]
        subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True, timeout=60)
        logits, mask = _logits(file, image), np.load(tmp_path / "o.npy")
        assert mask.dtype == np.uint8 and 0.1 < mask.mean() < 0.9
        sure = np.abs(logits) > 1e-5  # rounding decides the others
        assert sure.mean() > 0.999
        np.testing.assert_array_equal(mask[sure], (logits >= 0)[sure])


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_server_answers_with_masks(
    patches: Path, tmp_path: Path, processes: list[subprocess.Popen[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_best(tmp_path / "best.safetensors", patches, "unet")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, ROOT / "examples" / "serve.py", "--model", file, "--port", port]
    server = subprocess.Popen(
        [str(word) for word in command],
        env=environment(),
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    processes.append(server)  # type: ignore[arg-type]
    url = f"http://127.0.0.1:{port}/"
    image = _image(patches, 100, 180)
    picture = io.BytesIO()
    Image.fromarray(image).save(picture, "PNG")
    give_up = time.monotonic() + 120
    while True:
        try:
            status, answer = _post(url, picture.getvalue())
            if status == 200:
                break
        except OSError:
            pass
        assert server.poll() is None and time.monotonic() < give_up, capfd.readouterr().err[-3000:]
        time.sleep(0.5)
    mask = np.array(Image.open(io.BytesIO(answer)))
    assert 0.1 < (mask > 0).mean() < 0.9
    np.testing.assert_array_equal(mask, 255 * (_logits(file, image) >= 0))
    status, answer = _post(url, b"no picture")
    assert status == 400 and answer.decode().startswith("the body is no PNG or JPEG") and answer.count(b"\n") == 1
    os.kill(server.pid, signal.SIGINT)
    server.wait(timeout=60)


def test_a_server_refuses_a_model_of_other_bands(tmp_path: Path) -> None:
    pytest.importorskip("starlette")
    file = write_best(tmp_path / "nir.safetensors", write_nir(tmp_path / "patches", WORDS), "unet")
    command = [sys.executable, ROOT / "examples" / "serve.py", "--model", file]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: nir.safetensors takes 4 bands of uint16 (red, green, blue, nir), which no photo"
    )
