from __future__ import annotations

import pytest

from bouncer.irc.encoding import usable_encoding


@pytest.mark.parametrize(
    ("name", "usual"), [("UTF8", "utf-8"), ("latin-1", "iso8859-1"), ("CP1251", "cp1251"), ("Shift_JIS", "shift_jis")]
)
def test_encodings_that_networks_use(name: str, usual: str) -> None:
    assert usable_encoding(name) == usual


@pytest.mark.parametrize(
    "name",
    ["", "utf-16", "utf-7", "hz", "iso2022_jp", "idna", "unicode_escape", "rot13", "hex", "cp037", "x\ny", "a\0b"],
)
def test_what_could_hide_a_line_end_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no encoding that IRC lines can be in"):
        usable_encoding(name)
