"""Names of networks as names of files.

Owns how any name becomes the name of one file or folder on any system, and back. Must not know what is in the file.

Names are folded first, as IRC does: those that differ only in case are one. What is not safe in a file's name is ``%``
and two hexadecimal digits for each of its bytes: separators, controls, what some systems don't have, and what some of
them take for something else (capitals beyond ASCII, marks that combine with the letter before them).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from bouncer.irc.casemap import DEFAULT_FOLD

LENGTH_LIMIT = 200  # bytes; file systems have 255, and an ending is to fit as well
HEAD = 40  # characters of a name that is longer, before its checksum
CUT = "%~"  # stands before the checksum

_UNSAFE_ASCII = frozenset('"%*/:<>?\\|')
_UNSAFE_CATEGORIES = ("C", "M", "Z")  # of Unicode: controls and what is undecodable; marks; blanks
_ESCAPED = re.compile(rb"%([0-9a-f]{2})")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # Windows has devices of these names


def file_name(name: str) -> str:
    """The name of the file for this name. A very long one can't be read back: :func:`is_cut` tells."""
    folded = DEFAULT_FOLD(name)
    chars = [_escaped(char) if _is_unsafe(char) else char for char in folded]
    if chars and (chars[0] == "." or _RESERVED.fullmatch(folded)):
        chars[0] = _escaped(chars[0])
    if chars and chars[-1] == ".":
        chars[-1] = _escaped(".")
    safe = "".join(chars) or "%"
    if len(safe.encode()) <= LENGTH_LIMIT:
        return safe
    digest = hashlib.sha256(folded.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return "".join(char for char in chars[:HEAD] if len(char) == 1) + CUT + digest


def is_cut(file: str) -> bool:
    """Whether the name that this file is named after was too long."""
    return CUT in file


def name_of(file: str) -> str:
    """The name that a file is named after, folded. One that was not made by :func:`file_name` is taken as it is."""
    data = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), file.encode("utf-8", "surrogateescape"))
    name = data.decode("utf-8", "surrogateescape")
    return name if name and file_name(name) == file else file


def _is_unsafe(char: str) -> bool:
    if char.isascii():
        return char in _UNSAFE_ASCII or not char.isprintable() or char == " "
    return (
        unicodedata.category(char)[0] in _UNSAFE_CATEGORIES
        or char.casefold() != char
        or unicodedata.normalize("NFKC", char) != char
    )


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
