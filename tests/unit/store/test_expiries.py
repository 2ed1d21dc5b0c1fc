from __future__ import annotations

from bouncer.model.history import Expiry
from bouncer.store.expiries import Expiries


def test_what_is_covered_does_not_wait_twice() -> None:
    expiries = Expiries()
    for before in (5, 9, 3):
        expiries.add(Expiry(1, "#a", before, 10))
        expiries.add(Expiry(1, "#A", before, 10))
    assert list(expiries) == [Expiry(1, "#a", 9, 10)]
    expiries.add(Expiry(1, "#a", 3, 20))  # later lines, but not the younger ones
    assert len(list(expiries)) == 2
    expiries.add(Expiry(1))
    expiries.add(Expiry(1, "#b"))
    expiries.add(Expiry(2, "#b"))
    assert list(expiries)[2:] == [Expiry(1), Expiry(2, "#b")]
    for each in list(expiries):
        expiries.remove(each)
    assert not expiries
