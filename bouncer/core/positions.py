"""Where the devices of a user are in one network's log.

Owns their positions, how many are remembered, and, with LeftOff, their places in channels that are detached. Must not
know sessions, nor how a position is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bouncer.core.gaps import NAME as GAP
from bouncer.core.leftoff import SEPARATOR, LeftOff
from bouncer.model.ports import Archive

DEVICES_LIMIT = 200  # devices whose place is remembered; of more, the one that has fallen behind most is forgotten


class Positions:
    """``kept`` are all that the store had of this network."""

    def __init__(self, network: int, kept: Mapping[str, int], archive: Archive) -> None:
        self._network = network
        self._archive = archive
        self._seqs = {device: seq for device, seq in kept.items() if SEPARATOR not in device}
        self.left_off = LeftOff(
            {name: seq for name, seq in kept.items() if name != GAP},
            lambda name, seq: archive.put_position(network, name, seq),
            lambda name: archive.drop_position(network, name),
        )

    def __contains__(self, device: str) -> bool:
        """Whether a device was ever here."""
        return device in self._seqs

    def get(self, device: str, default: int) -> int:
        """The last kept line that a device has confirmed."""
        return self._seqs.get(device, default)

    def put(self, device: str, seq: int, here: Collection[str], detached: Collection[str]) -> None:
        """A device is at ``seq``, while these devices are attached and these channels detached; committed behind the
        lines that it has read."""
        if device not in self._seqs and len(self._seqs) >= DEVICES_LIMIT:
            away = [each for each in self._seqs if each not in here]
            if away:
                self.drop(min(away, key=lambda each: self._seqs[each]))
        if detached:
            self.left_off.moved(device, self._seqs.get(device, seq), seq, detached)
        self._seqs[device] = seq
        self._archive.put_position(self._network, device, seq)

    def drop(self, device: str) -> None:
        """Forget where a device is, in detached channels too."""
        self._seqs.pop(device, None)
        self.left_off.drop(device)
        self._archive.drop_position(self._network, device)

    def put_gap(self, since: int | None) -> None:
        """Keep from when on (milliseconds) lines may be missing; None: none are."""
        if since is not None:
            self._archive.put_position(self._network, GAP, since)
        else:
            self._archive.drop_position(self._network, GAP)

    @property
    def kept(self) -> dict[str, int]:
        """All that the store has, but for the gap."""
        return {**self._seqs, **self.left_off.kept}
