"""Our bouncer beside others: what each costs, measured in one run.

    python -m benchmarks [--scenario NAME ...] [--subjects NAME ...] [--runs N] [--bouncer PATH]
                         [--soju PATH] [--json FILE] [--plot FILE]
    python -m benchmarks --smoke        a little of each scenario, all at once and ours alone, to see that they work

docs/benchmarks.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop

from benchmarks import plot, report
from benchmarks.goals import OURS
from benchmarks.run import Measured, measure
from benchmarks.scenarios import SCENARIOS
from benchmarks.subjects import Subject, subjects

_ALL = [subject.name for subject in subjects()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", nargs="+", choices=[*SCENARIOS], default=[*SCENARIOS], metavar="NAME")
    parser.add_argument("--subjects", nargs="+", choices=_ALL, default=_ALL, metavar="NAME")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--bouncer", default="", metavar="PATH", help="an installed bouncer, which may be compiled")
    parser.add_argument("--soju", default="", metavar="PATH", help="the program, where it is not on PATH")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures of all runs")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios, as SVG")
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args()


def _installed(options: argparse.Namespace) -> list[Subject]:
    found = []
    for subject in subjects(options.bouncer, options.soju):
        if subject.name in ([OURS] if options.smoke else options.subjects):
            if why := subject.missing():
                print(f"{subject.name} is left out: {why}", file=sys.stderr)
            else:
                found.append(subject)
    return found


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


async def _main(options: argparse.Namespace) -> int:
    chosen = _installed(options)
    results: dict[str, Mapping[str, Measured]] = {}
    if options.smoke:  # the figures mean little
        found = await asyncio.gather(*(measure(SCENARIOS[name].small(), chosen, 1, _say) for name in options.scenario))
        results.update(zip(options.scenario, found, strict=True))
    else:
        for name in options.scenario:
            _say(f"{name}: {SCENARIOS[name].title}")
            results[name] = await measure(SCENARIOS[name], chosen, options.runs, _say)
            if options.json:  # after each, since the whole takes an hour
                report.write(options.json, results, chosen)
    print("\n".join(report.table(results)))
    if not options.smoke:
        print("\n" + "\n".join(report.verdicts(results)))
    if options.plot:
        plot.write(options.plot, results)
    return any(each.failure for measured in results.values() for each in measured.values())


if __name__ == "__main__":
    sys.exit(uvloop.run(_main(_options())))
