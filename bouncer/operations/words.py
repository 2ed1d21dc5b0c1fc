"""From the words that were typed to one row of the table and what it is called with.

Owns how objects and ``KEY=VALUE`` are written, who may, and how a slip is answered. Must not know any operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import fold_name
from bouncer.operations.context import Context
from bouncer.operations.names import CHANNEL_PREFIXES, meant, nearest, quoted
from bouncer.operations.row import NEEDED, Call, Key, LeftOut, Operation, Takes, Target, Who
from bouncer.operations.spellings import translated, without_flags

WORDS_LIMIT = 200  # of one request; the longest sensible one names each key of a network once

_FOR_A_SHELL = re.compile(r"^#|[*?!$&;|<>(){}\[\]]")  # a comment, a pattern, a word of the history, or the shell's own
_PAIR = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)

# second words of other programs -> ours, in any group that has it
SAME_VERBS: Mapping[str, str] = {
    "status": "show",
    "add": "create",
    "new": "create",
    "set": "update",
    "change": "update",
    "edit": "update",
    "remove": "delete",
    "del": "delete",
    "rm": "delete",
    "fingerprint": "show",
    "passwd": "password",
}


def find(table: Sequence[Operation], words: Sequence[str]) -> tuple[Operation, list[str]]:
    """The row that the first words name, and the words after. An unambiguous beginning of a word is enough, and what
    users of other bouncers type is understood.

    Raises Refused.
    """
    if not words:
        raise Refused("a command is missing; help lists them")
    row, rest = _row(table, translated(words, lambda typed: _is_ours(table, typed)))
    return row, rest if row.rest else without_flags(row.words, rest, lambda name: row.key(name) is not None)


def _is_ours(table: Sequence[Operation], words: Sequence[str]) -> bool:
    group, verb = words[0].lower(), words[1].lower() if len(words) > 1 else ""
    return any(row.group == group and row.verb in ("", verb, SAME_VERBS.get(verb)) for row in table)


def _row(table: Sequence[Operation], words: Sequence[str]) -> tuple[Operation, list[str]]:
    groups = list(dict.fromkeys(row.group for row in table))
    group = _match(words[0], groups, "help lists all commands")
    rows = [row for row in table if row.group == group]
    if not rows[0].verb:
        return rows[0], list(words[1:])
    verbs = [row.verb for row in rows]
    if len(words) == 1:
        raise Refused(f"{group} needs a second word: {', '.join(verbs)}")
    typed = words[1].lower()
    other = SAME_VERBS.get(typed, "")
    verb = other if other in verbs and typed not in verbs else _match(typed, verbs, f"{group} has {', '.join(verbs)}")
    return next(row for row in rows if row.verb == verb), list(words[2:])


def call_of(context: Context, row: Operation, words: Sequence[str]) -> Call:
    """What a row is called with, of the words after its own. Raises Refused."""
    if row.who is Who.ADMIN and not context.actor.admin:
        raise Refused(f"{row.words} may be used by admins only")
    if not row.here and not context.actor.is_machine:
        raise Refused(f"{row.words} works on the command line only: bouncer help {row.words}")
    if len(words) > WORDS_LIMIT:
        raise Refused(f"there are more than {WORDS_LIMIT} words; use several commands")
    rest = list(words)
    if row.rest:
        name = rest.pop(0) if _names_object(context, row, rest) else ""
        values = _rest_of(context, row, rest)
        return Call(_target(context, row, name), values)
    name = rest.pop(0) if rest and not _PAIR.fullmatch(rest[0]) else ""
    if name and row.takes is Takes.NOTHING:
        if row.keys:
            raise Refused(f"{quoted(name)} is not understood; {row.words} takes {_keys_text(row, context)}")
        raise Refused(f"{row.words} takes nothing after it; leave {quoted(name)} out")
    return Call(_target(context, row, name), values_of(context, row, rest))


def values_of(context: Context, row: Operation, words: Sequence[str]) -> dict[str, Any]:
    """The parsed values of ``KEY=VALUE`` words. Raises Refused."""
    found: dict[str, Any] = {}
    for word in words:
        pair = _PAIR.fullmatch(word)
        if pair is None:
            raise Refused(_stray(row, word))
        name, text = pair.groups()
        key = row.key(name)
        if key is None:
            known = [each.name for each in row.keys]
            hint = meant(name, known) or (f"; it takes {_keys_text(row, context)}" if known else "; it takes none")
            raise Refused(f"{row.words} has no key {quoted(name)}{hint}")
        if key.who is Who.ADMIN and not context.actor.admin:
            raise Refused(f"{key.name} may be set by admins only")
        value = _parsed(key, text)
        if key.name not in found:
            found[key.name] = value
        elif key.many:
            found[key.name] = tuple(dict.fromkeys((*found[key.name], *value)))
        else:
            raise Refused(f"{key.name} is given twice; give it once")
    if row.verb == "update" and not found:
        raise Refused(
            f"{row.words} needs something to change, as in {row.keys[-1].example}; it takes {_keys_text(row, context)}"
        )
    return found


def _names_object(context: Context, row: Operation, words: Sequence[str]) -> bool:
    """Whether the first word is the object of a row that takes free text.

    On the command line it always is. Inside IRC, where it may be left out, it is if it names a network and something
    stands behind it; whoever means the word itself writes ``KEY=`` before it.
    """
    if not words or row.takes is Takes.NOTHING or _is_pair_of(row, words[0]):
        return False
    actor = context.actor
    if actor.is_machine or row.left_out is LeftOut.REFUSED:
        return True
    if len(words) < 2 or row.takes is Takes.USER:
        return False
    user, slash, network = words[0].rpartition("/")
    account = context.house.account(user if slash and actor.admin else actor.user)
    return account is not None and account.user.network(network if actor.admin else words[0]) is not None


def _rest_of(context: Context, row: Operation, words: Sequence[str]) -> dict[str, Any]:
    key = row.key(row.rest)
    if row.mixes and words:
        return values_of(context, row, _gathered(row, words))
    if words and _is_pair_of(row, words[0]):
        found = values_of(context, row, words)
    elif words and key is not None:
        found = {key.name: _parsed(key, (", " if key.many else " ").join(words))}
    else:
        found = {}
    if not found.get(row.rest):
        raise Refused(f"{row.words} needs {row.rest}, as in: {example_of(row, context.actor.is_machine)}")
    return found


def _gathered(row: Operation, words: Sequence[str]) -> list[str]:
    """The words as pairs: those that are none are the value of ``rest``, in quotes again what was typed in quotes."""
    text = " ".join(
        f'"{word}"' if " " in word and '"' not in word else word for word in words if not _is_pair_of(row, word)
    )
    pairs = [word for word in words if _is_pair_of(row, word)]
    return [f"{row.rest}={text}", *pairs] if text else pairs


def _is_pair_of(row: Operation, word: str) -> bool:
    pair = _PAIR.fullmatch(word)
    return pair is not None and row.key(pair[1]) is not None


def _parsed(key: Key, text: str) -> Any:
    if not text and key.default is not NEEDED:
        return key.default
    try:
        return key.parse(text)
    except Refused as problem:
        raise Refused(f"{key.name}: {problem}") from None


def _target(context: Context, row: Operation, name: str) -> Target:
    actor = context.actor
    if row.takes is Takes.NOTHING:
        return Target()
    if not name:
        target = _left_out(context, row)
    elif row.takes is Takes.USER:
        target = Target(name)
    elif row.takes is Takes.NETWORK:
        target = _network_target(context, row, name)
    elif row.takes is Takes.DEVICE:
        target = _device_target(context, row, name)
    elif row.takes is Takes.SCOPE:
        user, slash, network = name.partition("/")
        target = Target(user, network) if slash or actor.is_machine else Target(actor.user, name)
    else:
        target = _channel_target(context, row, name)
    own = fold_name(target.user) == fold_name(actor.user)
    if not actor.admin and not own:
        raise Refused(f"{quoted(target.user)} is another user; only an admin may look at or change what is theirs")
    return target


def _left_out(context: Context, row: Operation) -> Target:
    actor = context.actor
    if row.left_out is LeftOut.ALL:
        sees_all = actor.is_machine or (row.words == "status" and actor.admin)
        return Target() if sees_all else Target(actor.user)
    if row.left_out is LeftOut.OWN and not actor.is_machine:
        if row.takes in (Takes.USER, Takes.SCOPE):
            return Target(actor.user)
        if actor.network:
            return Target(actor.user, actor.network)
    raise Refused(f"{row.words} needs to know which: {example_of(row, actor.is_machine)}")


def _network_target(context: Context, row: Operation, name: str) -> Target:
    user, slash, network = name.partition("/")
    if slash:
        return Target(user, network)
    if context.actor.is_machine:
        if context.house.account(name) is not None:
            raise Refused(f"{quoted(name)} is a user, and a network goes behind it: {row.words} {name}/NETWORK")
        owners = [each.name for each in context.house.users() if each.network(name)]
        owner = owners[0] if len(owners) == 1 else "alice"
        raise Refused(f"{quoted(name)} needs its user before it: {row.words} {owner}/{name}")
    return Target(context.actor.user, name)


def _device_target(context: Context, row: Operation, name: str) -> Target:
    actor = context.actor
    user, slash, device = name.rpartition("/")
    if not slash and actor.is_machine:
        raise Refused(f"{quoted(name)} needs its user before it: {example_of(row, True)}")
    return Target(user if slash else actor.user, device=device.removeprefix("@").lower())


def _channel_target(context: Context, row: Operation, name: str) -> Target:
    actor = context.actor
    if name[:1] in tuple(CHANNEL_PREFIXES) and actor.network:
        return Target(actor.user, actor.network, name)
    if name[:1] in tuple(CHANNEL_PREFIXES) and not actor.is_machine:  # as soju writes it: #channel/network
        channel, _, network = name.rpartition("/")
        account = context.house.account(actor.user)
        if channel and account is not None and account.user.network(network) is not None:
            return Target(actor.user, network, channel)
    first, _, rest = name.partition("/")
    second, slash, third = rest.partition("/")
    if rest[:1] in tuple(CHANNEL_PREFIXES) and not actor.is_machine:
        return Target(actor.user, first, rest)  # a channel's name may have a slash in it
    if slash and third and second[:1] not in tuple(CHANNEL_PREFIXES):
        return Target(first, second, third)
    form = "USER/NETWORK/#CHANNEL" if actor.is_machine else "NETWORK/#CHANNEL"
    raise Refused(
        f"{quoted(name)} is not a channel of a network; write {form}, as in {example_of(row, actor.is_machine)}"
    )


def example_of(row: Operation, qualified: bool) -> str:
    """The row's first example, with objects written as on the command line (qualified) or inside IRC."""
    return filled(row.examples[0], qualified)


def filled(example: str, qualified: bool) -> str:
    """An example with its objects in. For the command line (``qualified``) it is as a shell has to be told."""
    network = "alice/libera" if qualified else "libera"
    text = example.format(
        user="alice",
        network=network,
        channel=f"{network}/#python",
        device="alice/phone" if qualified else "phone",
        scope="alice" if qualified else "",
    )
    words = text.split(" ")
    if qualified and '"' not in text:
        words = [f"'{word}'" if _FOR_A_SHELL.search(word) else word for word in words]
    return " ".join(word for word in words if word)  # where nothing stands for the object


def _stray(row: Operation, word: str) -> str:
    known = {key.name for key in row.keys}
    if word.replace("-", "_").lower() in known:
        return f"{word} needs a value: {word}=VALUE"
    if not known:
        return f"{row.words} takes nothing more; leave {quoted(word)} out"
    near = nearest(word, known)
    hint = f"; did you mean {near}=VALUE?" if near else "; a value with spaces needs quotes around it"
    return f"{quoted(word)} is not understood: settings are written KEY=VALUE{hint}"


def _keys_text(row: Operation, context: Context) -> str:
    return ", ".join(f"{key.name}=" for key in row.keys if key.who is Who.USER or context.actor.admin)


def _match(word: str, known: Sequence[str], else_say: str) -> str:
    plain = word.lower()
    if plain in known:
        return plain
    begins = [each for each in known if each.startswith(plain)] if plain else []
    if len(begins) == 1:
        return begins[0]
    if begins:
        raise Refused(f"{quoted(word)} can be {' or '.join(begins)}; write one more letter")
    raise Refused(f"there is no command {quoted(word)}{meant(word, known) or f'; {else_say}'}")
