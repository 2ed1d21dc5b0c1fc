"""What a process costs: CPU by the system's nanosecond counters, and memory. Linux only."""

from __future__ import annotations

import time
from pathlib import Path

_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED of the kernel: the scheduler's own count, threads that have ended included


def cpu_ns(pid: int) -> int:
    """User and system time of a process and its children, in nanoseconds."""
    own = time.clock_gettime_ns(~pid << 3 | _WHOLE_PROCESS)
    return own + sum(cpu_ns(child) for child in _children(pid))


def main_thread_ns(pid: int) -> int:
    """The same for the first thread alone: in our bouncer, the event loop."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def pss_bytes(pid: int) -> int:
    """Proportional memory of a process and its children: pages shared with others count by their part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 + sum(pss_bytes(child) for child in _children(pid))
    raise OSError(f"/proc/{pid}/smaps_rollup has no Pss")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
