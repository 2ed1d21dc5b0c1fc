"""The operation that shows a network's lines as they are on the wire.

Owns how they are shown, and when they are remembered. What is secret of them is known in `tap`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bouncer.model.errors import Refused
from bouncer.operations import values
from bouncer.operations.change import find_network, network_label
from bouncer.operations.context import Context
from bouncer.operations.row import Call, Key, LeftOut, Operation, Result, Takes
from bouncer.operations.tap import LINES_LIMIT, Line, Traffic, secrets_of

DEFAULT_LINES = 50


async def traffic(context: Context, call: Call) -> Result:
    user, network = find_network(context, call.target)
    label = network_label(context, user.name, network.name)
    if not context.process.facts().running:
        raise Refused("there is no traffic, because the bouncer is not running")
    watched = context.dialer.watched(network.id)
    wanted = call.values.get("watch")
    if wanted is False:
        context.dialer.watch(network.id, None)
        return Result((f"the lines of {label} are no longer remembered",), {"watch": False, "lines": []})
    if wanted and watched is None:
        context.dialer.watch(network.id, Traffic())
        said = f"the lines of {label} are remembered from now on; network traffic {label} shows the last {LINES_LIMIT}"
        return Result((said,), {"watch": True, "lines": []})
    if watched is None:
        raise Refused(f"the lines of {label} are not remembered; network traffic {label} watch=on begins with it")
    lines = watched.last(call.values.get("lines", DEFAULT_LINES), secrets_of(network))
    data = [{"time": line.time, "sent": line.sent, "line": line.text} for line in lines]
    shown = tuple(map(_shown, lines)) or ("nothing was said since then",)
    return Result(shown, {"watch": True, "lines": data}, secret=True)


def _shown(line: Line) -> str:
    time = datetime.fromtimestamp(line.time, UTC).strftime("%H:%M:%S")
    return f"{time} {'>' if line.sent else '<'} {line.text}"


OPERATIONS = (
    Operation(
        "network traffic",
        "show the lines between a network and the bouncer",
        f"watch=on begins to remember them, up to {LINES_LIMIT}, until watch=off or the end of the bouncer; nothing is "
        "remembered before. > is what was sent. Passwords, channel keys and what is said to services are cut out. "
        "Times are UTC.",
        ("network traffic {network} watch=on", "network traffic {network} lines=100"),
        traffic,
        takes=Takes.NETWORK,
        left_out=LeftOut.OWN,
        keys=(
            Key("watch", "whether to remember them", "watch=on", values.yes_or_no, False),
            Key("lines", "how many of the last ones to show", "lines=100", values.count(1, LINES_LIMIT), DEFAULT_LINES),
        ),
        reads=True,
    ),
)
