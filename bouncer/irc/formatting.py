"""The codes inside text that make it bold, coloured and so on.

Owns what they look like. Must not know how they are shown.

https://modern.ircdocs.horse/formatting
"""

from __future__ import annotations

import re

_CODES = re.compile(
    r"\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?"  # colours by number
    r"|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"  # colours by hexadecimal value
    r"|[\x02\x0f\x11\x16\x1d\x1e\x1f]"  # bold, plain again, fixed width, reversed, italics, struck out, underlined
)


def strip_formatting(text: str) -> str:
    """The text as it reads without any formatting."""
    return text if text.isprintable() else _CODES.sub("", text)
