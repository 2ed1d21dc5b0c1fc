"""The pages of docs/clients: what they tell people to type is what the drivers type."""

from pathlib import Path

from peers.chat_client import Login

PAGES = Path(__file__).parents[3] / "docs" / "clients"


def lines_to_type(page: str, block: int, login: Login, fingerprint: str) -> list[str]:
    """The lines of a page's fenced block (counted from 0), for this login instead of the example's.

    `fingerprint` is in the form that the client wants.
    """
    device = {"weechat": "desk", "irssi": "phone"}[page]
    fenced = (PAGES / f"{page}.md").read_text().split("```")[1::2][block].strip().splitlines()
    filled = []
    for line in fenced:
        text = line.replace("bnc.example.org/6697", f"127.0.0.1/{login.port}")
        text = text.replace("bnc.example.org 6697", f"127.0.0.1 {login.port}")
        text = text.replace("FINGERPRINT", fingerprint).replace("PASSWORD", login.password)
        text = text.replace(f"alice/libera@{device}", login.user).replace("=alice", f"={login.nick}")
        filled.append(text.replace("libera", login.name))
    return filled
