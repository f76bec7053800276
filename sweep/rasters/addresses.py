"""Addresses that are signed for a while: what they name stays the same when the signature changes."""

from __future__ import annotations

import re
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


def is_remote(path: str) -> bool:
    """Whether a path is an address for GDAL rather than a file."""
    return "://" in path or path.startswith("/vsi")


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
