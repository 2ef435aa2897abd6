"""What starting a function costs: CPU seconds and memory of its imports, beside the floor that serving anything costs."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from infra.bundles.__main__ import FUNCTIONS, ROOT

FLOOR = "import functions_framework"
TIMES = 7
MEASURE = """
import json, resource
before = resource.getrusage(resource.RUSAGE_SELF)
{statement}
after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss]))
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


def cost(statement: str, folder: Path, environ: Mapping[str, str]) -> Cost:
    """What this statement costs in a process of its own, in this folder."""
    found = [_once(statement, folder, environ) for _ in range(TIMES)]
    return Cost(
        statistics.median(cpu for cpu, _ in found),
        statistics.median(kib for _, kib in found) / 1024,
    )


def _once(statement: str, folder: Path, environ: Mapping[str, str]) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(statement=statement)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, kib = json.loads(done.stdout.splitlines()[-1])
    return cpu, kib


@click.command()
def main() -> None:
    """Print what each function's start costs, and its ratio to the floor."""
    floor = cost(FLOOR, ROOT, {})
    click.echo(f"{'start':10} {'CPU s':>7} {'MiB':>5} {'CPU, floor = 1':>15}")
    click.echo(f"{'floor':10} {floor.cpu_seconds:7.3f} {floor.memory:5.0f} {1:15.2f}   ({FLOOR})")
    for function in FUNCTIONS:
        found = cost("import main", ROOT / "build" / function, SETTINGS)
        ratio = found.cpu_seconds / floor.cpu_seconds
        click.echo(f"{function:10} {found.cpu_seconds:7.3f} {found.memory:5.0f} {ratio:15.2f}")


if __name__ == "__main__":
    main()
