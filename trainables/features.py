"""What a fixed encoder makes of views that come again and again, kept on the node's disk and mapped into memory."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainables.locks import LockedError, lock_file
from trainables.models.sources import cache
from trainables.owners import is_abandoned, is_own, unfinished_name

FORMAT = 1
LIMIT_VARIABLE = "TILESWEEP_FEATURES_GB"
LIMIT_GB = 20.0
"""Gigabytes of disk; 24 tiles in eight views, with SAM's four blocks at 1024 pixels in half precision, are 4.9."""
FREE_SHARE = 0.5
"""Of the disk's free room, what the cache takes at most."""
WAIT_SECONDS = 300.0
"""How long a trial waits for another one that encodes the same view, before it does so itself."""

Encode = Callable[[], Mapping[str, Sequence[Tensor]]]
"""Makes features, by key."""

log = logging.getLogger(__name__)


class FeatureCache:
    """Features by key, in a folder that all processes of a node share.

    A file is written whole or not at all, and the least recently used ones are deleted for new ones. A damaged file is
    as good as none.

    Args:
        folder: Where the files are; None is ``features`` in the cache of weights.
        limit_bytes: Most that they take; None is ``$TILESWEEP_FEATURES_GB``, else 20 GB; 0 keeps nothing.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self._folder = folder or cache() / "features"
        if limit_bytes is None:
            limit_bytes = int(1e9 * _number(os.environ.get(LIMIT_VARIABLE), LIMIT_GB))
        self._limit = limit_bytes
        self._room = 0

    @property
    def enabled(self) -> bool:
        """Whether anything can be kept."""
        return self._limit > 0

    def get(self, key: str, encode: Encode) -> list[Tensor]:
        """Return the features of a key, from the disk if they are there.

        Args:
            key: Hex digest of everything that decides them.
            encode: Makes them, and maybe what else one pass gives, which is kept with them; only one process of the
                node does at a time.

        Returns:
            CPU tensors, backed by the file's pages where they come from the disk.
        """
        found = self._read(key)
        if found is not None:
            return found
        try:
            return self._make(key, encode, WAIT_SECONDS)
        except (OSError, LockedError) as error:
            log.info("features are not kept: %s", error)
            return list(encode()[key])

    def make(self, key: str, encode: Encode) -> bool:
        """Make features that are not there, unless another process is just making them; arguments as for ``get``.

        Returns:
            Whether they are there, or soon will be; False where they cannot be kept.
        """
        if self._path(key).exists():
            return True
        try:
            self._make(key, encode, timeout=0)
        except LockedError:
            return True
        except OSError as error:
            log.info("features are not kept: %s", error)
        return self._path(key).exists()

    def _make(self, key: str, encode: Encode, timeout: float) -> list[Tensor]:
        """Encode, and keep what can be kept.

        Raises:
            LockedError: Another process is still at it.
            OSError: Nothing can be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._folder / f"{key}.lock"
        with lock_file(lock, timeout=timeout):
            found = self._read(key)
            if found is None:
                made = {name: [tensor.contiguous() for tensor in one] for name, one in encode().items()}
                found = made[key]
                for name, one in made.items():
                    self._write(name, one)
        with suppress(OSError):
            lock.unlink()
        return found

    def has_room(self, count: int, key: str) -> bool:
        """Whether so many more features as large as a key's may be kept without one of them making room for another."""
        try:
            free = shutil.disk_usage(self._folder).free
            return count * self._path(key).stat().st_size <= min(self._limit, FREE_SHARE * free)
        except OSError:
            return False

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _read(self, key: str) -> list[Tensor] | None:
        path = self._path(key)
        try:
            tensors = load_file(path)
            os.utime(path)  # used last, deleted last
        except Exception:  # not there, cut off, or another process has just deleted it
            return None
        return [tensors[str(number)] for number in range(len(tensors))]

    def _write(self, key: str, tensors: Sequence[Tensor]) -> None:
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if not self._make_room(size):
            return
        temporary = Path(unfinished_name(str(self._folder / key)))
        try:
            save_file({str(number): tensor for number, tensor in enumerate(tensors)}, temporary)
            temporary.replace(self._path(key))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> bool:
        """Delete what was not used for longest, until so many bytes more fit; False where they never will.

        Looking at thousands of files takes longer than encoding a small view, so each look allows a sixteenth of what
        is left to be written before the next one; other processes of the node write, too.
        """
        if size <= self._room:
            self._room -= size
            return True
        for path in self._folder.glob("*.tmp"):
            if is_abandoned(path.name) and is_own(path, folder=False):
                path.unlink(missing_ok=True)
        files = []
        for path in self._folder.glob("*.safetensors"):
            with suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        used = sum(one for _, one, _ in files)
        limit = min(self._limit, used + int(FREE_SHARE * shutil.disk_usage(self._folder).free))
        if size > limit:
            return False
        for _, one, path in sorted(files):
            if used + size <= limit:
                break
            path.unlink(missing_ok=True)
            used -= one
        self._room = (limit - used - size) // 16
        return True


class CachedEncoder:
    """A fixed encoder that sees each view once on a node.

    Args:
        encode: Maps (1, 3, S, S) uint8 on the CPU to the features of that view, on the device: for each of the
            fingerprints, or for the first one alone where one pass does not give the others.
        fingerprints: Hash of the encoder's weights, and of whatever else it does to a view; then those of other
            features of the same encoder that somebody will ask for.
        device: Where the features are wanted.
        store: Where they are kept.
    """

    def __init__(
        self,
        encode: Callable[[Tensor], Sequence[Sequence[Tensor]]],
        fingerprints: Sequence[str],
        device: torch.device,
        store: FeatureCache,
    ) -> None:
        self._encode = encode
        self._fingerprints = [f"{FORMAT} {torch.__version__} {device.type} {one}" for one in fingerprints]
        self._device = device
        self._store = store

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return the features of a batch, each (B, C, h, w) on the device.

        Args:
            images: (B, 3, S, S) uint8 on the CPU. Views are encoded one by one, so that what is kept of one does not
                depend on its company.
        """
        views = [self._store.get(self._keys(image)[0], partial(self._features, image)) for image in images]
        return [torch.stack(parts).to(self._device, non_blocking=True) for parts in zip(*views, strict=True)]

    def fill(self, views: Sequence[Tensor]) -> None:
        """Encode what of some views is not kept, before they are asked for one after the other.

        Processes that do so at the same time share the work: each takes the next view that no other one is at.

        Args:
            views: (3, S, S) uint8 each, on the CPU.
        """
        for number, view in enumerate(views):
            key = self._keys(view)[0]
            if not self._store.make(key, partial(self._features, view)):
                return
            if number == 0 and not self._store.has_room(len(views), key):
                return  # the first ones would be gone again when they are asked for

    def _features(self, image: Tensor) -> dict[str, list[Tensor]]:
        found = self._encode(image[None])
        return {
            key: [features[0].cpu() for features in one] for key, one in zip(self._keys(image), found, strict=False)
        }

    def _keys(self, image: Tensor) -> list[str]:
        pixels = image.permute(1, 2, 0).contiguous().numpy().data
        keys = []
        for fingerprint in self._fingerprints:
            digest = hashlib.sha256(f"{fingerprint} {tuple(image.shape)}".encode())
            digest.update(pixels)
            keys.append(digest.hexdigest())
        return keys


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
