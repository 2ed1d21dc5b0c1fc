"""The commands that read and write files: those of history, and of whole homes.

Owns their arguments and their help. What they do is loaded when one of them is called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from bouncer.app.home import Home

FORMATS = ("json", "znc")

Say = Callable[[str], None]
Refusals = Callable[[], AbstractContextManager[None]]


def history_commands(home: Callable[[], Home], say: Say, refusals: Refusals) -> list[click.Command]:
    """The commands of the group ``history``."""

    @click.command("export")
    @click.argument("what", metavar="USER[/NETWORK[/#CHANNEL]]")
    @click.argument("bounds", nargs=-1, metavar="[after=DATE] [before=DATE]")
    @click.option("--format", "form", type=click.Choice(FORMATS), default="json", show_default=True)
    @click.option("--to", default="-", help="The file, or for znc the folder; else standard output.")
    @click.option("--timezone", default="", help="Of the times in znc's logs; else the user's.")
    @click.option("--json", "as_json", is_flag=True, help="Print the counts for programs.")
    def export(what: str, bounds: tuple[str, ...], form: str, to: str, timezone: str, as_json: bool) -> None:
        """Write what was said to a file: all of it, also what nobody sees any more, or as ZNC's log module does.

        The bouncer may run meanwhile. Dates are as in 2026-11-22 or 2026-11-22T20:41, of the user's time zone.

        \b
        bouncer history export alice --to alice.jsonl
        bouncer history export alice/libera/#python after=2026-01-01 --format znc --to logs
        """
        from bouncer.app.moving.history import export_history  # much that no other command needs

        with refusals():
            export_history(home(), say, what, bounds, form, to, timezone, as_json)

    @click.command("import")
    @click.argument("what", metavar="USER[/NETWORK]")
    @click.argument("path", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
    @click.option("--format", "form", type=click.Choice(FORMATS), help="What it is; else a folder is ZNC's.")
    @click.option("--timezone", default="", help="Of the times in znc's logs; else the user's.")
    @click.option("--partial", is_flag=True, help="Take what there is of a file that was cut off.")
    @click.option("--json", "as_json", is_flag=True, help="Print the counts for programs.")
    def import_(what: str, path: Path, form: str | None, timezone: str, partial: bool, as_json: bool) -> None:
        """Bring what was said elsewhere into history: a file of history export, or the logs of ZNC's log module.

        The bouncer may run meanwhile. What is there already is left out, so that an import that was broken off is
        repeated by the same command. Devices are not shown imported lines as missed.

        \b
        bouncer history import alice/libera alice.jsonl
        bouncer history import alice/libera ~/.znc/users/alice/moddata/log/libera --timezone Europe/Berlin
        """
        from bouncer.app.moving.history import import_history  # much that no other command needs

        with refusals():
            import_history(home(), say, what, path, form, timezone, partial, as_json)

    return [export, import_]


def home_commands(home: Callable[[], Home], say: Say, refusals: Refusals) -> list[click.Command]:
    """The commands about whole homes."""

    @click.command("backup")
    @click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
    def backup(path: Path | None) -> None:
        """Write the whole home to one file: settings, key, certificates and all history.

        The bouncer may run meanwhile. Without FILE it is named after the time, in this folder. It is compressed unless
        its name ends in .tar, and has the key to all passwords in it.
        """
        from bouncer.app.moving.backup import back_up  # much that no other command needs

        with refusals():
            back_up(home(), path, say)

    @click.command("restore")
    @click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
    @click.option("--verify", is_flag=True, help="Only look whether the file is good; no home is touched.")
    @click.option("--force", is_flag=True, help="Move what is in the home aside, into a folder in it.")
    def restore(path: Path, verify: bool, force: bool) -> None:
        """Make a home of a file that bouncer backup has written, after looking whether it is good.

        No bouncer may run on that home meanwhile.
        """
        from bouncer.app.moving import backup as moving  # much that no other command needs

        with refusals():
            if verify:
                moving.verify(path, say)
            else:
                moving.restore(home(), path, force, say)

    return [backup, restore]


def store_commands(home: Callable[[], Home], say: Say, refusals: Refusals) -> list[click.Command]:
    """The commands of the group ``store``."""

    @click.command("migrate")
    @click.argument("to", metavar="sqlite|postgresql://USER@HOST/DATABASE")
    def migrate(to: str) -> None:
        """Copy all that is kept into another store, and compare the two.

        The bouncer has to be stopped meanwhile, and the other store empty. Nothing is changed in this one, nor in
        bouncer.toml: what to write there is told at the end.
        """
        from bouncer.app.moving.migrating import migrate_store  # much that no other command needs

        with refusals():
            migrate_store(home(), to, say)

    return [migrate]
