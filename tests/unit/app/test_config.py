from __future__ import annotations

import socket
from ipaddress import ip_network
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
        origins  = ["https://Chat.example.org/", "http://[::1]:8080"]
        trusted_proxies = ["10.0.0.0/8", "2001:db8::1"]
        [tls]
        certificate = "/etc/bnc.pem"
        client_certificates = false
        [upstream]
        pace = "500ms"
        source = ["2001:db8:1::/64", "192.0.2.16/28"]
        oidentd = "oidentd.conf"
    """
    assert parse_config(text, FILE) == Config(
        listen=(
            ListenAddress("::", 7000, True),
            ListenAddress(path="/home/b/irc.sock"),
            ListenAddress(path="/run/irc.sock"),
        ),
        hostname="bnc.example.org",
        store="sqlite",
        tls=Tls(Path("/etc/bnc.pem"), client_certificates=False),
        upstream=Upstream(
            0.5,
            (ip_network("2001:db8:1::/64"), ip_network("192.0.2.16/28")),
            None,
            Path("/home/b/oidentd.conf"),
        ),
        origins=("https://chat.example.org", "http://[::1]:8080"),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128")),
    )


@pytest.mark.parametrize(("text", "at"), [("off", None), ("ident://[::]", ("::", 113)), ("ident://a:7", ("a", 7))])
def test_where_ident_is_answered(text: str, at: tuple[str, int] | None) -> None:
    assert parse_config(f"upstream.ident = '{text}'", FILE).upstream.ident == at


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
    "https://[::]:443",
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
    forms = "use ircs://HOST:PORT, irc+insecure://HOST:PORT, wss://HOST:PORT, ws+insecure://HOST:PORT or unix:PATH."
    assert problems(text) == [
        "line 1: there is no setting lisen; did you mean listen?",
        'line 2: hostname: it is to be a host name of at most 63 characters, as in "bnc.example.org"',
        "line 4: listen: Can't listen on https://[::]:443: web listeners are not built yet; "
        f"{forms} Can't listen on ircs://[::]:66970: Port out of range 0-65535; {forms}",
        'line 10: tls.certificate: it is to be the path of a file, as in "certs/server.pem"',
        "line 11: there is no setting tls.pace; did you mean upstream.pace?",
        'line 14: upstream.pace: "soon" is not a time; write it as 2s or 500ms',
        "line 15: there is no table web; there are listen, hostname, store, origins, trusted_proxies, tls.certificate, "
        "tls.client_certificates, upstream.pace, upstream.source, upstream.ident, upstream.oidentd",
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
        ('store = "postgresql:user@host/db"', "write the URL as postgresql://user@host/database"),
        ('store = "postgresql://user:p@ss@host/db"', "write @ as %40"),
        ('store = "postgresql://user:p/ss@host/db"', "write @ as %40"),
        ('store = "postgresql://user:p ss@host/db"', "write @ as %40"),
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
        ('origins = "https://a"', "it is to be a list"),
        ("origins = ['chat.example.org']", "is no origin"),
        ("origins = ['https://a.example/irc']", "without a path"),
        (f"origins = {['https://a'] * 257}", "more than 256"),
        ("trusted_proxies = ['10.0.0.1/8']", "10.0.0.1/8 has host bits set"),
        ("trusted_proxies = [5]", "it is to be a list"),
        ("tls.client_certificates = 'yes'", "true or false"),
        ("upstream.source = ['eth0', '192.0.2.0/99']", "'eth0' does not appear to be"),
        ("upstream.source = ['eth0', '192.0.2.0/99']", "; '192.0.2.0/99' does not"),
        ('upstream.source = ["a\\nb"]', "'a\\nb'"),
        ("upstream.ident = '0.0.0.0:113'", "use ident://HOST:PORT"),
        ("upstream.ident = 'ident://[::]:99999'", "out of range"),
        ("upstream.ident = 'ident://[::]/x'", "use ident://HOST:PORT"),
        ("upstream.ident = 113", 'or "off"'),
        ("upstream.oidentd = ''", "the path of a file"),
        ("upstream.oidentd = '~no-such-user/x'", "no such home folder"),
        ("upstream = { oidentd = 'a', ident = 'ident://[::]' }", "upstream.ident is set too"),
        ("upstream = { pace = '1 week' }", "is not a time"),
    ],
)
def test_wrong_values(text: str, words: str) -> None:
    (problem,) = problems("# first\n" + text)
    assert problem.startswith("line 2: ")
    assert words in problem


def test_a_password_in_a_store_is_not_repeated() -> None:
    (problem,) = problems('store = "postgresql://user:hunter@2@host/db"')
    assert "hunter" not in problem
    url = "postgresql://user:hunter2@host/db"
    config = parse_config(f'store = "{url}"', FILE)
    assert config.store == url
    assert "hunter2" not in repr(config)


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
