from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.app.moving.file_names import LENGTH_LIMIT, file_name, is_cut, name_of
from bouncer.irc.casemap import DEFAULT_FOLD

NAMES = st.binary(min_size=1, max_size=120).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(NAMES)
def test_a_name_is_one_safe_file_and_is_read_back(name: str) -> None:
    file = file_name(name)
    assert file.encode().isascii() or unicodedata.is_normalized("NFC", file)
    assert file not in (".", "..")
    assert not set(file) & set('/\\\0\n\r:*?"<>|')
    assert file.isprintable()
    assert file[0] != "."
    assert len(file.encode()) <= LENGTH_LIMIT
    if not is_cut(file):
        assert name_of(file) == DEFAULT_FOLD(name)


@given(NAMES, NAMES)
def test_two_names_are_two_files_on_any_system(one: str, other: str) -> None:
    files = [unicodedata.normalize("NFKC", file_name(name)).casefold() for name in (one, other)]
    assert (files[0] == files[1]) == (DEFAULT_FOLD(one) == DEFAULT_FOLD(other))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("#Python", "#python"),
        ("#a/b\\c", "#a%2fb|c"),
        ("..", "%2e%2e"),
        ("#ünï", "#ünï"),
        ("#Ü", "#%c3%9c"),
        ("#u\u0308", "#u%cc%88"),
        ("con", "%63on"),
        ("\udcff", "%ff"),
    ],
)
def test_names_that_need_care(name: str, file: str) -> None:
    assert file_name(name).replace("%7c", "|") == file


def test_a_name_that_another_program_made_is_taken_as_it_is() -> None:
    assert name_of("#100%25") == "#100%"  # as we write it
    assert name_of("#100%2") == "#100%2"
    assert name_of("#A%41") == "#A%41"
    assert name_of("#Python") == "#Python"


def test_a_long_name_has_a_file_of_its_own() -> None:
    files = {file_name("#" + "/" * 300 + end) for end in "abc"}
    assert len(files) == 3
    assert all(is_cut(file) and len(file) <= LENGTH_LIMIT for file in files)
