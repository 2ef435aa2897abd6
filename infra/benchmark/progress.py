"""What is measured now, and for how long the benchmark has been at it: one line, on stderr."""

import sys
import time
from threading import Event, Thread
from types import TracebackType

SECOND = 1.0


class Progress:
    """At a terminal one line that counts the seconds, else a line each step."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._what = ""
        self._live = sys.stderr.isatty()
        self._stop = Event()
        self._thread = Thread(target=self._count, name="progress", daemon=True)

    def say(self, part: str, what: str) -> None:
        """From now on this is measured."""
        self._what = f"{part}: {what}"
        if self._live:
            self._show()
        else:
            print(f"{self._clock()}  {self._what}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for something else on the terminal."""
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        if self._live:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.clear()

    def _count(self) -> None:
        while not self._stop.wait(SECOND):
            self._show()

    def _show(self) -> None:
        print(f"\r\033[K{self._clock()}  {self._what} …", end="", file=sys.stderr, flush=True)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02}:{seconds:02}"
