"""How often clients are asked whether they have read what they were sent.

Owns the rate, of all clients together. Must not know what they were sent, nor how they are asked.
"""

from __future__ import annotations

# Questions a second that are put as soon as the one before was answered, of all clients together: at 50 us each, half
# a percent of a processor. Those beyond wait for their turn, see PROOF_EVERY of `session`.
PROMPT_PER_SECOND = 100.0
PROMPT_AT_ONCE = 100.0  # what may be saved up of them


class Proofs:
    """The questions that may be put at once."""

    def __init__(self) -> None:
        self._left = PROMPT_AT_ONCE
        self._counted = 0.0

    def take(self, now: float) -> bool:
        """Whether one may be put, which is counted. ``now`` in seconds; it may go back."""
        gained = max(0.0, now - self._counted) * PROMPT_PER_SECOND
        self._left = min(PROMPT_AT_ONCE, self._left + gained)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
