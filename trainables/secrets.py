"""One rule for what must never be written or shown: passwords, keys, tokens and signatures in URLs."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

HIDDEN = "***"
"""What stands in a secret's place."""
_AFTER = ".,:;'\")"
"""What may follow a URL in a sentence."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_LOGIN = re.compile(r"(?P<begin>:/+[^:/]*:)(?P<secret>.+)@", re.DOTALL)
_TOKEN = re.compile(r"(?P<begin>\bhttps?:/+)[^:/@?#\s]+@", re.IGNORECASE)
_ACCESS_KEY = re.compile(r"(?P<begin>\bs3:/+)[^@/\s]*:\*{3}@")
_PARAMETER = re.compile(r"(?P<begin>^|[?&;#\s])(?P<name>[^\s=?&;#]+)=(?P<value>[^&\s]*)")
_SPACED = re.compile(r"(?P<begin>^|[?&;#])(?P<name>[^\s=?&;#]+)=(?P<value>[^&]*)")
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|credential|signature|(^|[-_.])(sig|auth|authorization|key)$"
    r"|(api|access|account|private|session)[-_.]?key"
)


def hide_secret(text: str) -> str:
    """Return a URL, an argument or a line of text that can be shown and stored.

    Hidden are the password of ``scheme://user:password@host``, also one that holds ``/``, ``@``, ``:`` or ``?``: it is
    taken to reach to the last ``@``; the token of ``https://token@host``; and the value of every parameter whose name
    says that it is secret, such as ``?password=``, ``&sig=``, ``;token=``, ``X-Amz-Signature=``, also where the name is
    percent-encoded. Hiding twice changes nothing.

    Args:
        text: A URL as a whole, spaces included; ``--flag=URL``; or text in which URLs stand between spaces.
    """
    if _is_one(text):
        return _hide_parameters(_hide_login(text), _SPACED)
    return _hide_parameters("".join(map(_hide_word, re.split(r"(\s+)", text))), _PARAMETER)


def _is_one(text: str) -> bool:
    """Whether a text is a single URL, or a flag with one; only its first word tells."""
    return _URL.match(re.sub(r"^--?[A-Za-z][\w-]*=", "", text)) is not None


def _hide_word(word: str) -> str:
    return _hide_login(word) if _URL.search(word) else word


def _hide_login(text: str) -> str:
    hidden = _LOGIN.sub(lambda found: f"{found['begin']}{HIDDEN}@", text)
    for pattern in (_TOKEN, _ACCESS_KEY):
        hidden = pattern.sub(lambda found: f"{found['begin']}{HIDDEN}@", hidden)
    return hidden


def _hide_parameters(text: str, pattern: re.Pattern[str]) -> str:
    def hide(found: re.Match[str]) -> str:
        begin, name, value = found["begin"], found["name"], found["value"]
        plain = unquote_plus(name).lower().lstrip("-")
        if value.rstrip(_AFTER) == HIDDEN:
            return found[0]
        if value and _SECRET_NAME.search(plain):
            return f"{begin}{name}={HIDDEN}"
        within = unquote_plus(value)  # a URL as the value of another one's parameter
        if within != value and not _URL.match(value) and hide_secret(within) != within:
            return f"{begin}{name}={HIDDEN}"
        return f"{begin}{name}={_hide_parameters(value, pattern)}"

    return pattern.sub(hide, text)
