"""What can be wrong, by whose fault it is. A peer's bad input is never an exception: it is an event or a reply."""


class Refused(Exception):
    """A request that can't be done as asked. ``str()`` is one clear sentence: the thing, the problem, the fix."""


class Unavailable(Exception):
    """Something that would work at another time (the store is full, a network is down); the sentence says what."""
