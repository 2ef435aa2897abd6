"""A progress bar for long work at a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import click

WORTH_A_BAR = 200
"""Steps; fewer are done before anyone could read the bar."""


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr if that is a terminal and the work is long."""
    with ExitStack() as at_the_end:
        advance: list[Callable[[int], None]] = []
        shown = 0

        def progress(done: int, steps: int) -> None:
            nonlocal shown
            if not advance and steps >= WORTH_A_BAR and sys.stderr.isatty():
                bar = click.progressbar(
                    length=steps, label=label, file=sys.stderr, update_min_steps=max(1, steps // 200)
                )
                advance.append(at_the_end.enter_context(bar).update)
            if advance:
                advance[0](done - shown)
            shown = done

        yield progress
