"""What is wrong with the pairs here, compared with the original and with themselves. Pure: every finding says what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.operator.new_pair import id_of
from infra.operator.pairs_csv import ImportRow
from shared.pair import Pair
from shared.runs import Policy
from shared.schedule import ScheduleError, check

LATE = timedelta(minutes=15)
"""A pair due for longer is not being looked after."""
STUCK = timedelta(minutes=10)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `kind` is a short name for programs."""

    kind: str
    channel: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.channel}: {self.sentence}"


def against_source(rows: Sequence[ImportRow], pairs: Iterable[Pair]) -> list[Problem]:
    """Every pair of the original is here once, with its id, its owner, its partner and its texts."""
    here: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair.ended_at is None:
            here.setdefault(pair.open_channel_id, []).append(pair)
    found: list[Problem] = []
    for row in rows:
        texts, mine = row.pair, here.get(row.pair.open_channel_id, [])
        open_id = texts.open_channel_id
        if not mine:
            found.append(Problem("missing", open_id, "is not here; run broadcastctl migrate --write again"))
            continue
        pair = mine[0]
        if pair.closed_channel_id != texts.closed_channel_id:
            sentence = (
                f"has the closed channel {pair.closed_channel_id} here and {texts.closed_channel_id} in the original"
            )
            found.append(Problem("partner", open_id, f"{sentence}; end it here, then migrate again"))
        if pair.client_id != texts.client_id:
            sentence = f"belongs to {pair.client_id} here and to {texts.client_id} in the original"
            found.append(Problem("owner", open_id, f"{sentence}; end it here, then migrate again"))
        if pair.id != id_of(row):
            sentence = (
                f"is {pair.id} here and {id_of(row)} in the original; the website's broadcast_id must be the one here"
            )
            found.append(Problem("id", open_id, sentence))
        other = [name for name, value in texts.texts().items() if getattr(pair, name) != value]
        if other:
            found.append(
                Problem("texts", open_id, f"differs in {', '.join(other)}; migrate again if the original is right")
            )
    return found


def by_itself(pairs: Iterable[Pair], *, now: datetime, policy: Policy) -> list[Problem]:
    """Channels are used once, times are sane, no run is stuck, counters agree with one another."""
    found: list[Problem] = []
    used: dict[int, Pair] = {}
    for pair in pairs:
        if pair.ended_at is not None:
            continue
        found += [Problem(kind, pair.open_channel_id, sentence) for kind, sentence in _problems(pair, now, policy)]
        for channel in (pair.open_channel_id, pair.closed_channel_id):
            if channel in used:
                sentence = f"shares the channel {channel} with pair {used[channel].id}; end one of the two"
                found.append(Problem("twice", pair.open_channel_id, sentence))
            used.setdefault(channel, pair)
    return found


def _problems(pair: Pair, now: datetime, policy: Policy) -> Iterable[tuple[str, str]]:
    try:
        check(pair.schedule, now=now)
    except ScheduleError as error:
        yield "schedule", f"has a schedule that cannot be followed: {error}"
    if pair.is_active and pair.run is None:
        if pair.wake_at is None:
            yield "never", "is active and never due; pause and resume it"
        elif pair.wake_at < now - LATE:
            yield (
                "late",
                f"has been due since {pair.wake_at:%Y-%m-%d %H:%M} UTC; is the service running, and what does status say?",
            )
    own = timedelta(hours=pair.schedule.interval_hours) if pair.schedule.interval_hours else policy.interval
    far = pair.next_send_time is not None and pair.schedule.cron is None and pair.next_send_time > now + own
    if pair.is_active and far:
        yield "far", f"is next due at {pair.next_send_time:%Y-%m-%d %H:%M} UTC, more than one interval away; resend it"
    if pair.run is not None and pair.wake_at is not None and pair.wake_at < now - STUCK:
        yield (
            "stuck",
            f"has a run that nobody has looked after since {pair.wake_at:%Y-%m-%d %H:%M} UTC; is the service running?",
        )
    if pair.successful_broadcasts > pair.total_broadcasts:
        counted = f"{pair.successful_broadcasts} of {pair.total_broadcasts} broadcasts succeeded"
        yield (
            "counters",
            f"counts more successes than broadcasts ({counted}); the original counted so, and nothing depends on it",
        )


def summary(problems: Sequence[Problem]) -> Mapping[str, int]:
    """How many of each kind."""
    kinds = [problem.kind for problem in problems]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
