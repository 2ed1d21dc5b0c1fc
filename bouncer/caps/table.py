"""The capabilities, in order. See `model.capability` for what a row says.

What is not here is neither asked of a network nor offered to a client.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.model.capability import Capability

# Every status symbol in use on public networks; none of them can begin a nick (RFC 2812 section 2.3.1).
STATUS_SYMBOLS = "~&!@%+."
_TWO_STATUSES = re.compile(f"[{re.escape(STATUS_SYMBOLS)}]{{2}}")


def _one_status(word: str) -> str:
    bare = word.lstrip(STATUS_SYMBOLS)
    return word[: min(1, len(word) - len(bare))] + bare


def one_status_in_names(message: Message) -> Message:
    """353 with only the highest status of each nick, as clients without multi-prefix know it."""
    if len(message.params) < 4 or not _TWO_STATUSES.search(message.params[3]):
        return message
    names = " ".join(map(_one_status, message.params[3].split()))
    return message.replace(params=[*message.params[:3], names])


def one_status_in_who(message: Message) -> Message:
    """352 likewise: its flags are ``H`` or ``G``, perhaps ``*``, then status symbols."""
    if len(message.params) < 8:
        return message
    flags = message.params[6]
    away = flags.rstrip(STATUS_SYMBOLS)
    return message.replace(params=[*message.params[:6], away + flags[len(away) :][:1], message.params[7]])


def plain_join(message: Message) -> Message:
    """JOIN without the account and real name that extended-join adds."""
    return message.replace(params=message.params[:1]) if len(message.params) > 1 else message


CAPABILITIES = (
    Capability("message-tags", wanted=True, hides=frozenset({"TAGMSG"})),
    Capability("server-time", wanted=True, tags=frozenset({"time"})),
    Capability("batch", wanted=True, hides=frozenset({"BATCH"})),
    Capability("labeled-response", wanted=True, offered=False),
    Capability("echo-message"),
    Capability("cap-notify", wanted=True),
    Capability("sasl", value="PLAIN", wanted=True),
    Capability(
        "multi-prefix",
        wanted=True,
        downgrades=MappingProxyType(
            {numerics.RPL_NAMREPLY: one_status_in_names, numerics.RPL_WHOREPLY: one_status_in_who}
        ),
    ),
    Capability("extended-join", wanted=True, downgrades=MappingProxyType({"JOIN": plain_join})),
    Capability("account-tag", wanted=True, tags=frozenset({"account"})),
    Capability("account-notify", wanted=True, hides=frozenset({"ACCOUNT"})),
    Capability("away-notify", wanted=True, hides=frozenset({"AWAY"})),
    Capability("chghost", wanted=True, hides=frozenset({"CHGHOST"})),
    Capability("setname", wanted=True, hides=frozenset({"SETNAME"})),
    Capability("draft/message-redaction", wanted=True, hides=frozenset({"REDACT"})),
    # clients are told of it in lines that all of them know
    Capability("draft/channel-rename", wanted=True, offered=False, hides=frozenset({"RENAME"})),
    # asked of networks to fill gaps (core/gaps.py); clients are answered by us
    Capability("draft/chathistory", wanted=True),
    Capability("draft/event-playback", wanted=True),
    Capability("draft/read-marker", hides=frozenset({"MARKREAD"})),
    Capability("znc.in/playback"),
    Capability("znc.in/self-message"),  # what other devices say is shown to all anyway
    Capability("znc.in/server-time-iso", tags=frozenset({"time"})),
    Capability("znc.in/batch", hides=frozenset({"BATCH"})),
    Capability("soju.im/bouncer-networks"),
    Capability("soju.im/bouncer-networks-notify", hides=frozenset({"BOUNCER"})),
    Capability("soju.im/search"),
)
