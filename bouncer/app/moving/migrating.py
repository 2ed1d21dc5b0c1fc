"""`bouncer store migrate`: all that is kept, from SQLite to PostgreSQL or back.

Owns which store is which, and that what was copied is what was there. Must not know tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack

from bouncer.app.config import DRIVER_MISSING, SQLITE, checked_store, load_config
from bouncer.app.home import Home, HomeLock
from bouncer.app.moving.progress import progress
from bouncer.model.errors import Refused
from bouncer.store.copying import Source, Target, copy, sums_of
from bouncer.store.sqlite_side import SqliteSource, SqliteTarget

_PASSWORD = re.compile(r"://[^@/]*:[^@/]*@|password=", re.IGNORECASE)  # in a URL

Say = Callable[[str], None]


def migrate_store(home: Home, to: str, say: Say) -> None:
    """Copy all from the store that ``bouncer.toml`` names to another one, which must be empty, and compare the two.

    ``to`` is "sqlite" or the URL of a PostgreSQL database. What goes wrong leaves the target empty. Raises Refused,
    also while a bouncer runs.
    """
    of = load_config(home.config).store
    try:
        to = checked_store(to)
    except Refused as problem:
        raise Refused(f"that is no store to move to: {problem}") from None
    if of == to:
        raise Refused("the store is that one already")
    if SQLITE not in (of, to):
        raise Refused("one of the two stores has to be sqlite: between two servers use pg_dump and pg_restore")
    home.make()
    with HomeLock(home), ExitStack() as ending:
        source = _source(home, of)
        ending.callback(source.close)
        target = _target(home, to)
        ending.callback(target.close)
        if not source.counters()["boot"]:
            raise Refused("no bouncer has kept anything in the store that bouncer.toml names: there is nothing to move")
        size = source.size()
        with progress(size, "copy") as told:
            read = copy(source, target, told).found()
        with progress(size, "compare") as told:
            written = sums_of(target, told).found()
        if read != written:
            wrong = min(part for part in {*read, *written} if read.get(part) != written.get(part))
            raise Refused(f"{wrong[0]} of network {wrong[1]} are not the same there; nothing was kept, try again")
        target.keep()
    lines = {network: count for (table, network), (count, _) in read.items() if table == "messages"}
    networks = f"{len(lines):,} network{'' if len(lines) == 1 else 's'}"
    say(f"{sum(lines.values()):,} lines of {networks}: all is the same there")
    url = "the URL that you gave" if _PASSWORD.search(to) else to
    say(f'now have this line in {home.config}:  store = "{url}"')
    say("the first start makes the index anew; until it is done, finding words takes longer")
    if of == SQLITE:
        say(f"{home.database} is as it was; move it away when all is well")


def _source(home: Home, of: str) -> Source:
    if of == SQLITE:
        return SqliteSource(home.database)
    try:
        from bouncer.store.postgresql.side import ServerSource  # its driver is there only where it is asked for
    except ImportError as error:
        raise Refused(DRIVER_MISSING) from error
    return ServerSource(of)


def _target(home: Home, to: str) -> Target:
    if to == SQLITE:
        return SqliteTarget(home.database)
    try:
        from bouncer.store.postgresql.side import ServerTarget  # its driver is there only where it is asked for
    except ImportError as error:
        raise Refused(DRIVER_MISSING) from error
    return ServerTarget(to)
