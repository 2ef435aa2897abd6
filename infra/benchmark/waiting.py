"""Waiting for another process: looking now and then, for not longer than one has patience."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.1


class NotDone(Exception):
    """Raised when what a measurement waits for does not come; the text says what there is instead."""


def wait_until(done: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
    """Look until it is so. Raises NotDone with the explanation after so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise NotDone(f"After {seconds:.0f} s: {explain()}")
        time.sleep(LOOK_SECONDS)
