"""Encodings in which a network's text may be, where it is not UTF-8.

Owns which of them can carry IRC lines at all. Must not know which network has which.
"""

from __future__ import annotations

import codecs

_OTHERS = "éЖあ中αאñł"  # one of them is in every encoding that somebody needs


def usable_encoding(name: str) -> str:
    """The usual name of a text encoding in which every ASCII byte means itself, so that lines can be told apart
    before they are decoded. Raises ValueError with a sentence for others."""
    try:
        found = codecs.lookup(name)
        plain = all(bytes([byte]).decode(name) == chr(byte) for byte in range(128)) and _others_stand_out(name)
    except (LookupError, ValueError, UnicodeError):
        found, plain = None, False
    if found is None or not plain:
        raise ValueError(
            f"{name[:40]!r} is no encoding that IRC lines can be in; use one such as utf-8, latin-1, cp1251, koi8-r or "
            "shift_jis"
        )
    return found.name


def _others_stand_out(name: str) -> bool:
    """Whether letters beyond ASCII begin with bytes beyond ASCII: else they could be taken for something else."""
    found = [letter.encode(name, "ignore") for letter in _OTHERS]
    return any(found) and all(each[0] >= 0x80 for each in found if each)
