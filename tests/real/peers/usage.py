"""What a process uses, as Linux tells it: descriptors, memory, processor time."""

import os
from pathlib import Path


def descriptors(pid: int) -> int:
    """How many descriptors it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident(pid: int) -> int:
    """Its memory, in bytes."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) << 10


def processor(pid: int) -> float:
    """The seconds of processor time that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
