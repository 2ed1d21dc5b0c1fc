"""Run all benchmarks, or with ``--smoke`` a few seconds of each, to see that they work."""

from __future__ import annotations

import argparse
import asyncio

from benchmarks import relay

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--smoke", action="store_true", help="a few seconds, for CI; the figures mean little")
smoke = parser.parse_args().smoke
for clients in (1, 20):
    figures = asyncio.run(relay.measure(clients, 20_000 if smoke else 200_000, 10))
    print(f"relay to {clients} clients: {figures.cpu_us:.2f} us of CPU a line in {figures.wall_s:.2f} s")
