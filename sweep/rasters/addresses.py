"""Addresses that are signed for a while: what they name stays the same when the signature changes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

SIGNATURES = re.compile(
    r"x-amz-.*|x-goog-.*|signature|sig|awsaccesskeyid|googleaccessid|key-pair-id|token", re.IGNORECASE
)
"""Parameters that sign an address: S3, Google, CloudFront, Azure."""
WITH_THEM = re.compile(
    r"expires|policy|response-.*|sv|ss|srt|sp|se|st|spr|sr|sip|si|sdd|skoid|sktid|skt|ske|sks|skv|saoid|suoid|scid|"
    r"rsc[cdelt]",
    re.IGNORECASE,
)
"""Parameters that come with those and belong to them (Azure: the fields of a shared access signature)."""


SUBDATASET = re.compile(r"([A-Z][A-Z0-9]{2,})(_[A-Z0-9_]+)?:(?!//)(.+)", re.DOTALL | re.IGNORECASE)
"""GDAL's addresses of one picture of several, such as ``GTIFF_DIR:2:scene.tif`` or ``NETCDF:"scene.nc":red``."""


def is_remote(path: str) -> bool:
    """Whether a path is an address for GDAL rather than a file: on another machine, in an archive, or a subdataset."""
    return "://" in path or path.startswith("/vsi") or is_subdataset(path)


def is_subdataset(path: str) -> bool:
    """Whether a path is GDAL's address of one picture of several."""
    return bool(SUBDATASET.fullmatch(path)) and not Path(path).exists()


def driver_of_subdataset(path: str) -> str:
    """Return the beginning of such an address up to a first ``_``: its driver's name, in capitals; else empty."""
    found = SUBDATASET.fullmatch(path) if is_subdataset(path) else None
    return found[1].upper() if found else ""


def file_of_subdataset(path: str) -> Path | None:
    """Return the file of this machine that such an address names; None where there is none."""
    found = SUBDATASET.fullmatch(path) if is_subdataset(path) else None
    if found is None:
        return None
    parts = [*re.findall(r'"([^"]+)"', found[3]), *found[3].split(":"), found[3].rpartition(":")[0]]
    return next((Path(one) for one in parts if one and Path(one).is_file()), None)


def split_address(address: str) -> tuple[str, str]:
    """Return an address without its query, and the query; ``/vsicurl/`` and the like included."""
    place, _, query = address.partition("?")
    return place, query.partition("#")[0]


def unsigned_in(text: str, address: str) -> str:
    """Return a text, such as GDAL's about an address, with what signs the address taken out."""
    text = text.replace(address, unsigned(address))
    query = split_address(address)[1] if is_remote(address) and unsigned(address) != address else ""
    return text.replace(f"?{query}", "") if query else text


def unsigned(address: str) -> str:
    """Return an address without what signs it: what may be shown, stored and compared.

    Args:
        address: A file's path comes back as it is.
    """
    if not is_remote(address):
        return address
    address = re.sub(r"(://)[^/@?]*@", r"\1", address)
    place, query = split_address(address)
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if not any(SIGNATURES.fullmatch(name) for name in names):
        return address
    kept = [
        part
        for part in query.split("&")
        if not any(kind.fullmatch(part.partition("=")[0]) for kind in (SIGNATURES, WITH_THEM))
    ]
    return f"{place}?{'&'.join(kept)}" if kept else place
