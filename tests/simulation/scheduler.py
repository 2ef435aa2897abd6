"""Simulated time, and threads of which exactly one runs: each handler has its own, and the baton passes at every effect."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Lock, Thread
from types import TracebackType
from uuid import UUID

from tests.clocks import NOON
from tests.simulation.chance import Chance


class Died(BaseException):
    """The process is dead; no handler may catch this."""


@dataclass
class Instance:
    """A process: its clock's error in seconds, and how often it has died."""

    name: str
    skew: float
    deaths: int = 0


@dataclass
class Task:
    """One handler at work."""

    name: str
    instance: Instance
    body: Callable[[], None]
    done: Callable[[BaseException | None], None]
    deaths: int = 0
    steps: int = 0
    ids: list[str] = field(default_factory=list)
    go: Lock = field(default_factory=Lock)
    begun: bool = False
    over: bool = False
    error: BaseException | None = None


_idle: list["SimpleQueue[tuple[Scheduler, Task]]"] = []


def _work(jobs: "SimpleQueue[tuple[Scheduler, Task]]") -> None:
    while True:
        scheduler, task = jobs.get()
        try:
            task.body()
        except BaseException as error:  # noqa: BLE001 - whoever asked for the task judges it
            task.error = error
        task.over = True
        _idle.append(jobs)
        scheduler.baton.release()


class Scheduler:
    """What happens next, and when. Microseconds since NOON inside."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.micros = 0
        self.tasks = 0
        self.slowness = 1.0
        """A store in the same process answers in a fraction of the milliseconds a network takes."""
        self.trace: list[tuple[int, str]] = []
        self.baton = Lock()
        self.baton.acquire()
        self._current: Task | None = None
        self._next: list[tuple[int, float, int, Task | Callable[[], None]]] = []
        self._count = 0

    @property
    def current(self) -> Task:
        """The task at work."""
        assert self._current is not None
        return self._current

    def now(self) -> datetime:
        """The true time."""
        return NOON + timedelta(microseconds=self.micros)

    def note(self, what: str) -> None:
        """Keep this for whoever reads the history of a failure."""
        self.trace.append((self.micros, what))

    def at(self, micros: int, what: Callable[[], None]) -> None:
        """Call this at that time, in no task."""
        self._push(max(micros, self.micros), 0.0, what)

    def spawn(self, task: Task) -> None:
        """Begin a task now."""
        task.deaths = task.instance.deaths
        task.go.acquire()
        self.tasks += 1
        self._push(self.micros, self.chance.unit(f"turn {task.name}"), task)

    def pause(self, seconds: float) -> None:
        """From inside a task: let others go on until so much time has passed. Raises Died if the process died meanwhile."""
        task = self.current
        task.steps += 1
        turn = self.chance.unit(f"turn {task.name} {task.steps}")
        self._push(self.micros + max(0, round(seconds * 1e6)), turn, task)
        self._let_others_go_on(task)

    def park(self) -> None:
        """From inside a task: let others go on until one of them wakes it. Raises Died if the process died meanwhile."""
        self.current.steps += 1
        self._let_others_go_on(self.current)

    def wake(self, task: Task) -> None:
        """Let a parked task go on now."""
        self._push(self.micros, self.chance.unit(f"turn {task.name} {task.steps}"), task)

    def _let_others_go_on(self, task: Task) -> None:
        self.baton.release()
        task.go.acquire()
        if task.deaths != task.instance.deaths:
            raise Died

    def new_id(self) -> UUID:
        """In place of uuid4: an id that a replay draws again."""
        task = self.current
        high, low = (int(self.chance.unit(f"id {task.name} {len(task.ids)} {n}") * 2**56) for n in (0, 1))
        made = UUID(int=high << 64 | low, version=4)
        task.ids.append(str(made))
        return made

    def step(self) -> bool:
        """The next thing; False if there is none."""
        if not self._next:
            return False
        self.micros, _, _, what = heapq.heappop(self._next)
        if not isinstance(what, Task):
            what()
            return True
        self._current = what
        if what.begun:
            what.go.release()
        else:
            what.begun = True
            self._thread().put((self, what))
        self.baton.acquire()
        self._current = None
        if what.over:
            self.tasks -= 1
            what.done(what.error)
        return True

    @staticmethod
    def _thread() -> "SimpleQueue[tuple[Scheduler, Task]]":
        if _idle:
            return _idle.pop()
        jobs: SimpleQueue[tuple[Scheduler, Task]] = SimpleQueue()
        Thread(target=_work, args=(jobs,), daemon=True).start()
        return jobs

    def _push(self, micros: int, turn: float, what: "Task | Callable[[], None]") -> None:
        self._count += 1
        heapq.heappush(self._next, (micros, turn, self._count, what))


class Baton:
    """A lock between tasks: whoever waits for it lets the others go on, and gets it in turn."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._taken = False
        self._waiting: deque[Task] = deque()

    def __enter__(self) -> None:
        if not self._taken:
            self._taken = True
            return
        self._waiting.append(self._scheduler.current)
        try:
            self._scheduler.park()
        except Died:
            self._hand_on()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            self._scheduler.wake(self._waiting.popleft())
        else:
            self._taken = False
