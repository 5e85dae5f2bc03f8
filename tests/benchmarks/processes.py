"""What processes used, as the kernel counts it."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
DATABASE_SERVER = "postgres:"


def _stat(process: int) -> list[str]:
    """The fields of its status line from the state on; none when it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _all() -> Iterator[int]:
    return (int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit())


def family(processes: Collection[int]) -> set[int]:
    """The processes with all that they started."""
    parents = {process: int(stat[1]) for process in _all() if (stat := _stat(process))}
    found, grown = set[int](), set(processes)
    while grown:
        found |= grown
        grown = {process for process, parent in parents.items() if parent in grown} - found
    return found


def _cpu(processes: Iterable[int]) -> float:
    stats = (_stat(process) for process in processes)
    return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) / TICKS


def cpu_of(processes: Collection[int]) -> float:
    """CPU seconds of the processes and all that they started."""
    return _cpu(family(processes))


def cpu_of_database(name: str) -> float:
    """CPU seconds of the server's processes that work for the database ``name``; 0 where it is a file."""
    return _cpu(process for process in _all() if _works_for(process, name)) if name else 0.0


def _works_for(process: int, name: str) -> bool:
    try:
        told = Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False
    return told.startswith(DATABASE_SERVER) and f" {name} " in told


def peak_memory_of(processes: Collection[int]) -> int:
    """MiB that the processes and all that they started held at most, each for itself."""
    total = 0
    for process in family(processes):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    return total // 1024
