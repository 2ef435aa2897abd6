"""Everything at a glance, for whoever runs the service. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.dashboard.held import Held, held
from shared.overview import Overview, overview
from shared.pace import Pace
from shared.pair import Pair

RECENTLY = timedelta(minutes=1)
MOST_CLIENTS = 50


@dataclass(frozen=True)
class Client:
    """An owner, and how many pairs they have."""

    id: str
    name: str
    pairs: int


@dataclass(frozen=True)
class OperatorView:
    """What the operator's page shows."""

    overview: Overview
    held: Held | None
    detail: str | None
    """Telegram's words for what holds everything back."""
    next_try: datetime | None
    last_tick: datetime | None
    sent_recently: int
    """Messages that left within the last minute."""
    rate: float
    clients: Sequence[Client]
    more_clients: int

    @property
    def share(self) -> int:
        """Percent of the pace that the last minute used."""
        return round(100 * self.sent_recently / (self.rate * RECENTLY.total_seconds()))


def operator_view(pairs: Sequence[Pair], pace: Pace | None, *, now: datetime, rate: float) -> OperatorView:
    """Of all pairs and the pace; `rate` is the pace's in messages a second."""
    gate = None if pace is None else pace.gate
    owned = Counter(pair.client_id for pair in pairs if pair.ended_at is None)
    names = {pair.client_id: pair.created_by or pair.open_channel_title for pair in pairs}
    clients = [Client(id, names[id], count) for id, count in owned.most_common(MOST_CLIENTS)]
    return OperatorView(
        overview=overview(pairs, now),
        held=held(pace),
        detail=_detail(pace),
        next_try=None if gate is None or gate.blocked_until <= now else gate.blocked_until,
        last_tick=None if pace is None or pace.tick is None else pace.tick.published_at,
        sent_recently=sum(_sent_since(pair, now - RECENTLY) for pair in pairs),
        rate=rate,
        clients=clients,
        more_clients=len(owned) - len(clients),
    )


def _detail(pace: Pace | None) -> str | None:
    if pace is not None and pace.paused_all is not None:
        return pace.paused_all.reason
    return None if pace is None or pace.gate is None else pace.gate.detail


def _sent_since(pair: Pair, since: datetime) -> int:
    runs = [run for run in (pair.run, pair.last_broadcast) if run is not None]
    messages = {
        (d.chat, d.message_id)
        for run in runs
        for _, d in run.deliveries()
        if d.sent_at is not None and d.sent_at >= since
    }
    return len(messages)
