from __future__ import annotations

import pytest

from bouncer.store.values import from_column, to_column


@pytest.mark.parametrize(
    ("name", "column"),
    [("#a", "#a"), ("", ""), ("ä€", "ä€"), ("caf\udce9", b"caf\xe9"), ("\udcff", b"\xff"), ("a\udcc3\udca9", "aé")],
)
def test_names_are_text_unless_they_are_not_utf8(name: str, column: str | bytes) -> None:
    assert to_column(name) == column
    assert from_column(column) == name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
