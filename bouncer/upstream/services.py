"""What is said to services, and what they answer, as far as it may hold a password: history keeps none of it.

Owns their names, and what is known of their words. Must not know what becomes of such a line.
"""

from __future__ import annotations

# Where people log in. Nothing of what is said to these or by them is kept.
LOGIN_SERVICES = frozenset({"nickserv", "authserv", "userserv", "operserv", "auth"})
# What is said to these may hold a channel's password; what they say is kept unless it speaks of one.
OTHER_SERVICES = frozenset({"chanserv", "hostserv", "botserv", "memoserv"})
# QuakeNet's and Undernet's, which elsewhere are people: by their full address (Q@CServe.quakenet.org), or with these
# words, what is said to them may hold a password.
SHORT_NAMES = frozenset({"q", "x"})
PASSWORD_WORDS = frozenset({"auth", "login", "identify", "newpass", "setpass", "pass", "password", "challengeauth"})
SERVICES = LOGIN_SERVICES | OTHER_SERVICES


def service_of(target: str) -> str:
    """The nick of ``nick``, ``nick@server`` or ``nick!user@host``, folded."""
    return target.partition("@")[0].partition("!")[0].lower()


def is_secret(target: str, text: str) -> bool:
    """Whether what we say to somebody may hold a password."""
    name = service_of(target)
    if name in SHORT_NAMES:
        return "@" in target or text.split(" ", 1)[0].lower() in PASSWORD_WORDS
    return name in LOGIN_SERVICES or name in OTHER_SERVICES


def may_repeat(nick: str, text: str) -> bool:
    """Whether what somebody says to us may repeat a password: many services do when one registers or asks for it."""
    name = nick.lower()
    return name in LOGIN_SERVICES or (name in OTHER_SERVICES and "pass" in text.lower())
