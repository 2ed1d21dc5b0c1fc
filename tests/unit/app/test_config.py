from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.app.config import Config, ConfigError, Tls, Upstream, load_config, machine_name, parse_config
from bouncer.net.address import ListenAddress

FILE = Path("/home/b/bouncer.toml")


def problems(text: str) -> list[str]:
    """What is wrong with a text, without the file's name."""
    with pytest.raises(ConfigError) as refused:
        parse_config(text, FILE)
    assert str(refused.value) == "\n".join(refused.value.problems)
    assert all(problem.isprintable() for problem in refused.value.problems)
    return [problem.removeprefix(f"{FILE}, ") for problem in refused.value.problems]


def test_everything_is_optional(tmp_path: Path) -> None:
    expected = Config(
        listen=(ListenAddress("::", 6697, True), ListenAddress("127.0.0.1", 6667, False)),
        hostname=machine_name(),
        store="sqlite",
        tls=Tls(tmp_path / "certs" / "server.pem"),
        upstream=Upstream(2.0),
    )
    path = tmp_path / "bouncer.toml"
    assert load_config(path) == expected
    path.write_text("# nothing\r\n[tls]\r\n[upstream]\r\n")
    assert load_config(path) == expected


def test_all_that_can_be_set() -> None:
    text = """
        listen   = ["ircs://[::]:7000", "unix:irc.sock", "unix:/run/irc.sock"]
        hostname = "bnc.example.org"
        store    = "sqlite"
        [tls]
        certificate = "/etc/bnc.pem"
        [upstream]
        pace = "500ms"
    """
    assert parse_config(text, FILE) == Config(
        listen=(
            ListenAddress("::", 7000, True),
            ListenAddress(path="/home/b/irc.sock"),
            ListenAddress(path="/run/irc.sock"),
        ),
        hostname="bnc.example.org",
        store="sqlite",
        tls=Tls(Path("/etc/bnc.pem")),
        upstream=Upstream(0.5),
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [('"off"', 0.0), ('"2s"', 2.0), ('"500ms"', 0.5), ('"1m"', 60.0), ("0.2", 0.2), ("3", 3.0)]
)
def test_the_pace_is_a_duration(text: str, seconds: float) -> None:
    assert parse_config(f"upstream.pace = {text}", FILE).upstream.pace == seconds


def test_all_that_is_wrong_is_listed_at_once_in_order_with_its_lines() -> None:
    text = """\
lisen = ["ircs://[::]:6697"]
hostname = "two words"

listen = [
    "ircs://[::]:6697",
    "wss://[::]:443",
    "ircs://[::]:66970",
]
[tls]
certificate = 5
pace = "2s"
[upstream]
# pace = "1s"
pace = "soon"
[web]
port = 80
"""
    assert problems(text) == [
        "line 1: there is no setting lisen; did you mean listen?",
        'line 2: hostname: it is to be a host name of at most 63 characters, as in "bnc.example.org"',
        "line 4: listen: Can't listen on wss://[::]:443: WebSocket listeners are not built yet; "
        "use ircs://HOST:PORT, irc+insecure://HOST:PORT or unix:PATH. "
        "Can't listen on ircs://[::]:66970: Port out of range 0-65535; "
        "use ircs://HOST:PORT, irc+insecure://HOST:PORT or unix:PATH.",
        'line 10: tls.certificate: it is to be the path of a file, as in "certs/server.pem"',
        "line 11: there is no setting tls.pace; did you mean upstream.pace?",
        'line 14: upstream.pace: "soon" is not a time; write it as 2s or 500ms',
        "line 15: there is no table web; there are listen, hostname, store, tls.certificate, upstream.pace",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('listen = "ircs://[::]:6697"', "it is to be a list of addresses"),
        ("listen = []", "it is to be a list of addresses"),
        ("listen = [6697]", "it is to be a list of addresses"),
        ('listen = ["ircs://[::]", "ircs://[::]:6697"]', "an address is there twice"),
        (f"listen = {[f'unix:{number}' for number in range(65)]}", "more than 64 addresses"),
        ('listen = ["https://[::]:443"]', "web listeners are not built yet"),
        ('hostname = ""', "a host name"),
        ('hostname = "bücher.example"', "a host name"),
        ('hostname = "a\\nb"', "a host name"),
        ('hostname = "-a"', "a host name"),
        (f'hostname = "{"a" * 64}"', "a host name"),
        ('store = "postgresql://user@host/db"', "PostgreSQL is not built yet"),
        ('store = "mysql"', 'it is to be "sqlite"'),
        ("store = 1", 'it is to be "sqlite"'),
        ('"a\\nb" = 1', "there is no setting 'a\\nb'"),
        ("tls = 5", "tls is a table"),
        ("[[tls]]", "tls is a table"),
        ("tls.certificate = ''", "the path of a file"),
        ("tls.certificate = {}", "the path of a file"),
        ("upstream.pace = true", "is not a time"),
        ("upstream.pace = '-1s'", "is not a time"),
        ("upstream.pace = '2h'", "is not a time"),
        ("upstream.pace = nan", "is not between"),
        ("upstream = { pace = '1 week' }", "is not a time"),
    ],
)
def test_wrong_values(text: str, words: str) -> None:
    (problem,) = problems("# first\n" + text)
    assert problem.startswith("line 2: ")
    assert words in problem


def test_a_password_in_a_store_is_not_repeated() -> None:
    (problem,) = problems('store = "postgresql://user:hunter2@host/db"')
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("text", "line"),
    [("listen = [\n'a',\n\n", 2), ("\nfoo", 2), ("store = 'sqlite'\nstore = 'sqlite'\n", 2), ("\n\na = 1 b = 2\n#", 3)],
)
def test_what_is_no_toml_names_its_line(text: str, line: int) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"line {line}: it is not TOML: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "bouncer.toml"
    path.write_bytes(b"# one\n# tw\xff\n")
    with pytest.raises(ConfigError, match="line 2: there is a byte that is not UTF-8"):
        load_config(path)
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ConfigError, match="more than 1048576 bytes"):
        load_config(path)
    with pytest.raises(ConfigError, match="it can't be read: is a directory"):
        load_config(tmp_path)
    path.write_text("x = " + "[" * 100_000)
    with pytest.raises(ConfigError, match=r"too many brackets|not TOML"):
        load_config(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bnc", "bnc"),
        ("bnc.example.org", "bnc.example.org"),
        ("", "localhost"),
        ("my_host", "localhost"),
        ("a b", "localhost"),
    ],
)
def test_the_machines_name_is_used_if_it_can_be(monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert parse_config("", FILE).hostname == expected


@given(st.text(alphabet="abc=[]\"'.\n# {},1tlsisten", max_size=60))
def test_any_text_is_settings_or_a_list_of_problems(text: str) -> None:
    try:
        parse_config(text, FILE)
        found: tuple[str, ...] = ()
    except ConfigError as error:
        found = error.problems or ("an error without a reason",)
    assert all(problem.startswith(f"{FILE}") and problem.isprintable() for problem in found)
