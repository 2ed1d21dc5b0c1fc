from __future__ import annotations

import re

from bouncer.irc import numerics

NAMES = {name: value for name, value in vars(numerics).items() if name.startswith(("RPL_", "ERR_"))}


def test_every_numeric_is_three_digits_and_has_one_name() -> None:
    assert len(NAMES) > 100
    assert all(re.fullmatch("[0-9]{3}", value) for value in NAMES.values())
    assert len(set(NAMES.values())) == len(NAMES)


def test_names_stand_for_the_numbers_that_clients_know() -> None:
    assert numerics.RPL_WELCOME == "001"
    assert numerics.RPL_ISUPPORT == "005"
    assert numerics.ERR_INPUTTOOLONG == "417"
    assert numerics.RPL_SASLSUCCESS == "903"
