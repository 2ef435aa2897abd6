"""`make bench`: how fast, how surely and at what cost, beside the peers. Each question is measured by a module of `parts`."""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import click
import requests

from infra.benchmark.parts import cold_start, growth, kill, long_run, operations, peers, resend, simulator
from infra.benchmark.progress import Progress
from infra.benchmark.sizes import FULL, TINY, Sizes
from infra.benchmark.tables import Say, Table
from infra.benchmark.telegram_process import ROOT
from infra.benchmark.usage import NoProc
from infra.benchmark.waiting import NotDone

PAGE = ROOT / "docs" / "benchmark.md"


@dataclass(frozen=True)
class Part:
    """One question or two that are measured together; `minutes` as it takes on two cores."""

    title: str
    minutes: float
    measure: Callable[[Sizes, Say], list[Table]]


PARTS = {
    "simulator": Part("How fast can the simulated Telegram be?", 0.3, simulator.measure),
    "peers": Part("How fast, how surely, at what cost, beside the peers?", 5, peers.measure),
    "kill": Part("What does kill -9 do?", 2, kill.measure),
    "resend": Part("How soon does a press of Resend show?", 1.5, resend.measure),
    "operations": Part("What does a broadcast cost the store?", 0.2, operations.measure),
    "growth": Part("What do idle pairs cost?", 0.5, growth.measure),
    "long-run": Part("What if thousands of pairs are due at once?", 1.5, long_run.measure),
    "cold-start": Part("What does starting a function cost?", 0.5, cold_start.measure),
}


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="Measure this alone; can be given again.")
@click.option("--tiny", is_flag=True, help="Just enough to see that everything works; the figures mean nothing.")
@click.option("--write", is_flag=True, help=f"Also write what was found to {PAGE.relative_to(ROOT)}.")
def main(only: Sequence[str], tiny: bool, write: bool) -> None:
    """Measure and print a table for each question. Exit status 1 if a measurement could not be made."""
    if write and (only or tiny):
        raise click.UsageError("--write writes the whole page; leave --only and --tiny away.")
    names = [name for name in PARTS if not only or name in only]
    sizes = TINY if tiny else FULL
    if not tiny:
        click.echo(f"About {sum(PARTS[name].minutes for name in names):.0f} minutes on two idle cores.", err=True)
    texts, faults = [heading()], list[str]()
    click.echo(texts[0])
    with Progress() as progress:
        for name, found in _measured(names, sizes, progress):
            progress.clear()
            if isinstance(found, str):
                faults.append(f"{name}: {found}")
                click.echo(faults[-1], err=True)
                continue
            texts.append(found_text(PARTS[name].title, found))
            click.echo(f"\n{texts[-1]}")
    if write and not faults:
        PAGE.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        click.echo(f"\nWritten to {PAGE}.", err=True)
    if faults:
        sys.exit(1)


def _measured(names: Sequence[str], sizes: Sizes, progress: Progress) -> Iterator[tuple[str, list[Table] | str]]:
    """Tables of each part, or the sentence that says why there are none."""
    for name in names:
        try:
            yield name, PARTS[name].measure(sizes, partial(progress.say, name))
        except (NotDone, NoProc, requests.RequestException) as error:
            yield name, str(error)


def heading() -> str:
    """What the page begins with: the machine, and how far its figures carry."""
    return "\n".join(
        [
            "# Benchmark",
            "",
            f"Measured with `make bench WRITE=1` on {os.cpu_count()} cores, Python {platform.python_version()},"
            f" {platform.system()} {platform.machine()}.",
            "Sender, simulated Telegram and the benchmark itself share these cores. Seconds and CPU are this machine's; what",
            "carries over to another is how the rows of a table compare, which is why ratios stand beside them.",
        ]
    )


def found_text(title: str, tables: Sequence[Table]) -> str:
    """One part of the page."""
    return "\n\n".join([f"## {title}", *(table.text() for table in tables)])


if __name__ == "__main__":
    main()
