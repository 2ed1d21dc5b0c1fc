from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bouncer.downstream.login import DEVICE_LIMIT, Login, parse_login, parse_pass

# whatever comes between marks, without the marks themselves
PART = st.text(st.characters(exclude_characters="/@:"), min_size=1, max_size=40)


@given(PART, PART, PART)
@example("Älice", "Lib ra", "Phöne\r\n\0")
@example("a" * 300, "n" * 300, "d" * 300)
def test_both_suffixes_are_found_in_either_order(user: str, network: str, device: str) -> None:
    found = parse_login(f"{user}/{network}@{device}")
    assert found == parse_login(f"{user}@{device}/{network}")
    assert (found.user, found.network) == (user, network)
    assert found.device == parse_login(f"{user}@{device}").device
    assert parse_login(f"{user}/{network}") == Login(user, network)
    assert parse_login(user) == Login(user)


@given(st.text(max_size=400))
@example("a/b/c")
@example("a@b@c")
@example("/@")
@example("@/")
@example("a//b@@c")
@example("alice/\r\nQUIT@\x1b[2J")
def test_any_text_is_some_login(text: str) -> None:
    found = parse_login(text)
    assert len(found.device) <= DEVICE_LIMIT
    assert found.device.isprintable()
    assert text.startswith(found.user)
    assert found.network in text


def test_what_comes_twice_belongs_to_the_name() -> None:
    assert parse_login("a/b/c") == Login("a/b", "c")
    assert parse_login("a@b@c") == Login("a@b", "", "c")
    assert parse_login("a/") == Login("a")
    assert parse_login("a@") == Login("a")


@given(st.text(max_size=100), st.text(max_size=100), st.booleans())
def test_a_pass_is_a_login_only_for_a_known_user(text: str, username: str, there: bool) -> None:
    login, password = parse_pass(text, username, lambda user: there)
    if there and ":" in text:
        left, _, right = text.partition(":")
        assert (login, password) == (parse_login(left), right)
    else:
        assert (login, password) == (parse_login(username), text)
