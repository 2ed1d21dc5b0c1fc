"""Answer one line of text sent to ``*bouncer``.

Owns quoting, help and how answers and refusals look in a chat. Must not know any operation, nor how lines reach
a client.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence

from bouncer.irc.fit import fit_text
from bouncer.model.errors import Refused, Unavailable
from bouncer.operations.context import Context
from bouncer.operations.row import Operation
from bouncer.operations.table import OPERATIONS, perform
from bouncer.operations.teach import Skin, help_lines, sentence
from bouncer.operations.words import find

LINE_LIMIT = 400  # bytes; with source, command and target it is below 512 for every client
ANSWER_LIMIT = 300  # lines; more than that floods a chat window and is better read on the command line
TEXT_LIMIT = 8192  # bytes of a command; more comes only out of a multiline batch

log = logging.getLogger(__name__)


async def answer(context: Context, text: str, table: Sequence[Operation] = OPERATIONS) -> list[str]:
    """The lines to send back, at least one, none with a line end in it. Never raises."""
    try:
        lines = await _lines(context, text, table)
    except (Refused, Unavailable) as problem:
        lines = [sentence(str(problem))]
    except Exception:
        log.exception("a command to *bouncer failed")  # not its text: it may hold a password
        lines = ["That went wrong inside the bouncer; its log has more."]
    more = len(lines) - ANSWER_LIMIT
    if more > 0:
        lines = [*lines[:ANSWER_LIMIT], f"And {more} more lines; the command line shows them all."]
    return [piece for line in lines for piece in fit_text(_printable(line), LINE_LIMIT)]


def split(text: str) -> list[str]:
    """The words: quotes of both kinds keep spaces, a backslash is a backslash. Raises Refused for an open quote."""
    if len(text.encode("utf-8", "surrogateescape")) > TEXT_LIMIT:
        raise Refused(f"the command is longer than {TEXT_LIMIT} bytes; use several")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    try:
        return list(lexer)
    except ValueError:
        raise Refused("a quote is not closed; a value with a ' in it goes between \" and the other way round") from None


async def _lines(context: Context, text: str, table: Sequence[Operation]) -> list[str]:
    words = split(text)
    skin = Skin("/msg *bouncer ", qualified=False, admin=context.actor.admin, everything=False)
    if not words:
        return ["Say help to see what can be done here."]
    if words[0].lower() in ("help", "h", "?"):
        return help_lines(table, words[1:], skin)
    row, _ = find(table, words)
    if not row.here:
        raise Refused(f"{row.words} works on the command line only: bouncer help {row.words}")
    return list((await perform(context, words, table)).lines) or ["Done."]


def _printable(line: str) -> str:
    """What others chose (names of channels, reasons of servers) may not end a line."""
    return line.replace("\r", " ").replace("\n", " ").replace("\0", " ") or " "
