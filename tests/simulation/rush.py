"""Many pairs due at once, on a simulated clock, with a Telegram that counts as strictly as its limits can be read.

Nothing goes wrong but what a test asks for.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from infra.telegram_simulator.limits import Limits, RateLimiter
from shared import telegram
from shared.engine import Precision
from shared.events import Event, MessageEvent
from shared.messages import Message
from shared.pair import Pair
from shared.store import PAIRS
from tests.pairs import a_pair
from tests.simulation.parts import SimulatedTelegram
from tests.simulation.scheduler import Instance, Scheduler
from tests.simulation.world import MINUTE, World, ids_from

RATE = 30
SECOND = 1_000_000
CALL_SECONDS = 0.06


class LimitedTelegram(SimulatedTelegram):
    """Takes 30 messages a second, one a second and 20 a minute in one chat; answers everything else with 429."""

    def __init__(self, scheduler: Scheduler, chats: frozenset[int], *, way: float) -> None:
        super().__init__(scheduler, chats, ())
        self._way = way
        self._limiter = RateLimiter(Limits())
        self.throttled: list[tuple[float, int]] = []
        """When, and which chat."""
        self.flooded: dict[int, int] = {}
        """Chats that get 429 whatever the rate, and until when (microseconds)."""

    def send_message(self, chat: int, message: Message, *, may_leave: Callable[[], bool]) -> telegram.Outcome:
        scheduler = self._scheduler
        if not may_leave():
            return telegram.TooLate()
        assert message.html
        scheduler.pause(scheduler.chance.unit(f"way {scheduler.current.name} {scheduler.current.steps}") * self._way)
        now = scheduler.micros
        wait = max(0, self.flooded.get(chat, 0) - now) // SECOND or self._limiter.accept(1, chat, now / 1e6)
        if wait:
            self.throttled.append((now / 1e6, chat))
            return telegram.Throttled(wait, f"Too Many Requests: retry after {wait}")
        taken = self._accept(chat)
        scheduler.pause(CALL_SECONDS)
        taken.answered = True
        return telegram.Sent(taken.message_id)


class Rush(World):
    """So many pairs due at NOON, so many more not before tomorrow."""

    telegram: LimitedTelegram

    def __init__(self, due: int, *, precision: Precision, resting: int = 0, one_clock: bool = False) -> None:
        self._one_clock = one_clock
        super().__init__(0, frozenset())
        self.chance.quiet = True
        self.scheduler.slowness = 0.05 if one_clock else 1.0
        self.rate, self.interval_hours, self.precision = RATE, 24, precision
        for pair_id in self.pair_ids:
            self.store.remove(PAIRS, pair_id)
        self.due = [a_pair(number) for number in range(1, due + 1)]
        tomorrow = self.scheduler.now() + timedelta(days=1)
        self.resting = [a_pair(10_000 + number, next_send_time=tomorrow) for number in range(resting)]
        self.pair_ids = [pair.id for pair in (*self.due, *self.resting)]
        for pair in (*self.due, *self.resting):
            self.store.create(PAIRS, pair.id, pair)
        chats = frozenset(
            chat for pair in (*self.due, *self.resting) for chat in (pair.open_chat_id, pair.closed_chat_id)
        )
        # A message leaves up to half a spread after its slot; the other half is for its way and for clocks that differ.
        self.telegram = LimitedTelegram(self.scheduler, chats, way=precision.spread * (0.5 if one_clock else 0.4))
        self.no_send: tuple[int, int] | None = None
        """From then until then (microseconds) no event reaches the send."""
        self.most_running = 0

    def _alone(self) -> bool:
        return self._one_clock

    def _instance(self, name: str) -> Instance:
        return Instance(name, 0.0 if self._one_clock else (self.chance.unit(f"skew {name}") * 2 - 1) * 0.005)

    def press(self, pair: Pair, seconds: float) -> None:
        """Its owner presses Resend then."""
        self.scheduler.at(round(seconds * SECOND), partial(self._act, f"press of {pair.id}", "resend", pair.id))

    def go(self, minutes: int) -> None:
        """Run for so long."""
        self.scheduler.at(0, lambda: self._tick(minutes * MINUTE))
        for second in range(minutes * 60):
            self.scheduler.at(second * SECOND, self._look)
        with ids_from(self.scheduler):
            while self.scheduler.step():
                pass

    def arrivals(self, pair: Pair) -> list[float]:
        """When Telegram took messages for the pair's channels, in seconds."""
        chats = {pair.open_chat_id, pair.closed_chat_id}
        return [message.micros / SECOND for message in self.telegram.accepted if message.chat in chats]

    @property
    def used(self) -> float:
        """(n - 1) / (last - first) of all messages, as a share of the ceiling."""
        times = sorted(message.micros / SECOND for message in self.telegram.accepted)
        return (len(times) - 1) / (times[-1] - times[0]) / RATE

    def _look(self) -> None:
        self.most_running = max(self.most_running, self.store.count_running())

    def _deliver(self, event: Event, cloud_event: Any, name: str, attempt: int, at: int) -> None:
        down = self.no_send
        if isinstance(event, MessageEvent) and down is not None and down[0] <= at < down[1]:
            at = down[1]
        super()._deliver(event, cloud_event, name, attempt, at)
