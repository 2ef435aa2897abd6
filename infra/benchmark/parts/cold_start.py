"""What starting each function costs in the cloud: CPU and memory of its imports, beside the floor that serving anything costs."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.usage import usage
from infra.benchmark.waiting import NotDone
from infra.bundles.__main__ import FUNCTIONS, ROOT, build

FLOOR = "import functions_framework"
MEASURE = """
import time
before = time.process_time()
{statement}
print(time.process_time() - before, flush=True)
input()
"""
SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "cold-start",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
    "BOT_TOKEN": "1000000003:nobody-is-called-while-it-starts-up",
    "BOT_USERNAME": "cold_start_bot",
    "JWT_SECRET_KEY": "a-secret-that-signs-nothing-at-all-here",
}
"""Enough for an instance to start; nothing is called while it does."""


@dataclass(frozen=True)
class Cost:
    """Medians over several processes: CPU seconds, and MiB at the end."""

    cpu_seconds: float
    memory: float


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """Each function's bundle, started several times."""
    say("the floor")
    floor = _cost(FLOOR, ROOT, {}, sizes.starts)
    rows: list[list[Cell]] = [[FLOOR, 1000 * floor.cpu_seconds, 1.0, floor.memory]]
    with TemporaryDirectory(prefix="benchmark-") as folder:
        for function in FUNCTIONS:
            say(function)
            bundle = Path(folder) / function
            build(function, bundle)
            found = _cost("import main", bundle, SETTINGS, sizes.starts)
            rows.append([function, 1000 * found.cpu_seconds, found.cpu_seconds / floor.cpu_seconds, found.memory])
    note = f"Medians of {sizes.starts} processes, from the bundle with its bytecode. Nothing is served for less than the floor."
    return [Table("Importing a function", ("start", "CPU ms", "floor = 1", "MiB"), rows, note)]


def _cost(statement: str, folder: Path, environ: Mapping[str, str], times: int) -> Cost:
    """What this statement costs in a process of its own, in this folder."""
    found = [_once(statement, folder, environ) for _ in range(times)]
    return Cost(statistics.median(one.cpu_seconds for one in found), statistics.median(one.memory for one in found))


def _once(statement: str, folder: Path, environ: Mapping[str, str]) -> Cost:
    """The process waits to be looked at: what it says of its own memory would be its parent's where that was larger."""
    with subprocess.Popen(
        [sys.executable, "-c", MEASURE.format(statement=statement)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise NotDone(f"{statement} in {folder.name} ended with {process.wait()}; what it said stands above.")
        cost = Cost(float(said), usage(process.pid).peak_memory)
        process.communicate("\n")
        return cost
