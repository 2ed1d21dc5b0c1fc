"""Names as column values. Owns how a name that is not UTF-8 survives the database."""

from __future__ import annotations


class Text(str):
    """A value that is text in every database, where a name may be bytes: JSON, a word of ours."""

    __slots__ = ()


def to_column(name: str) -> str | bytes:
    """The name as text; one with undecodable bytes (lone surrogates) as those bytes, which text can't hold."""
    if name.isascii():
        return name
    data = name.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def from_column(value: str | bytes) -> str:
    """What :meth:`to_column` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
