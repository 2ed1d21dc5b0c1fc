"""How a link stands, as values that can be shown. Owns their shapes, and must not know who shows them."""

from __future__ import annotations

from dataclasses import dataclass


def printable(text: str) -> str:
    """A network's words as they may be shown to people: nothing in them moves a terminal."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """A channel that the user wants to be in, as it is now."""

    name: str
    joined: bool
    members: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Phase:
    """How a link stands with its network, and since when (seconds since 1970)."""

    state: str  # "connected", "connecting", "waiting" (for the next try), "disconnected" (on purpose), "stopped"
    since: float
    reason: str = ""
    next_try: float = 0.0
    server: str = ""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What `status` shows of a link."""

    state: str
    server: str
    nick: str
    since: float
    reason: str
    next_try: float
    channels: tuple[ChannelStatus, ...]
    devices: tuple[str, ...]


def obituary(network: str, phase: Phase, now: float) -> str:
    """What is said of a connection that has ended, in this phase at this time (seconds)."""
    text = f"Disconnected from {network}: {phase.reason.rstrip('.') or 'the connection ended'}."
    if phase.next_try:
        text += f" Next try in {max(0, round(phase.next_try - now))} s."
    return text
