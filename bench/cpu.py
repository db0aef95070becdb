"""CPU seconds of processes with all their children, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Places after the command's name: parent, and user + system time, own and of dead children.
PARENT, TIMES = 1, slice(11, 15)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent_of(pid: int) -> int:
    return int(_stat(pid)[PARENT])


def _all() -> dict[int, list[str]]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = _stat(int(name))
            except OSError:  # it ended meanwhile; its parent inherits its time
                continue
    return found


def _tree(root: int, stats: Mapping[int, list[str]]) -> Iterator[int]:
    children = defaultdict(list)
    for pid, fields in stats.items():
        children[int(fields[PARENT])].append(pid)
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children[pid]


class Meter:
    """What each of the named process trees has spent since the start."""

    def __init__(self, roots: Mapping[str, int | None]) -> None:
        self.roots = {name: pid for name, pid in roots.items() if pid}
        self.before = self._read()

    def _read(self) -> dict[str, float]:
        stats = _all()
        return {name: self._seconds(pid, stats) for name, pid in self.roots.items()}

    @staticmethod
    def _seconds(root: int, stats: Mapping[int, list[str]]) -> float:
        ticks = (int(t) for pid in _tree(root, stats) if pid in stats for t in stats[pid][TIMES])
        return sum(ticks) / TICKS_PER_S

    def spent(self) -> dict[str, float]:
        now = self._read()
        return {name: now[name] - self.before[name] for name in now}


def busy_seconds() -> float:
    """CPU time of the whole machine: all but idle and waiting for the disk."""
    times = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(times) - times[3] - times[4]) / TICKS_PER_S
