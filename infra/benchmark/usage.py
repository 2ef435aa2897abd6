"""What a process has used, from Linux's /proc: the same reading for every sender, whatever it is written in."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
KIB_A_MIB = 1024.0


class NoProc(Exception):
    """Raised where /proc does not say what a process uses; the benchmark runs on Linux alone."""


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the start, threads and waited-for children included; MiB now and at most."""

    cpu_seconds: float
    memory: float
    peak_memory: float


def usage(pid: int) -> Usage:
    """Of a running process. Raises NoProc."""
    folder = Path(f"/proc/{pid}")
    try:
        # The name in brackets may hold spaces; what follows it begins with field 3 of proc_pid_stat(5).
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        ticks = sum(map(int, stat[11:15]))
        return Usage(ticks / TICKS_A_SECOND, _mib(status["VmRSS"]), _mib(status["VmHWM"]))
    except (OSError, LookupError, ValueError) as error:
        raise NoProc(f"/proc does not say what process {pid} uses: {error}") from None


def _mib(line: str) -> float:
    return int(line.split()[0]) / KIB_A_MIB
