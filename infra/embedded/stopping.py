"""A clock whose waits end when the process is asked to stop."""

from threading import Event

from shared.clock import MachineClock, Stopping


class StoppableClock(MachineClock):
    """The machine's clock; a wait raises Stopping as soon as `stop` is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        if seconds > 0 and self._stop.wait(seconds):
            raise Stopping
