"""Any sequence of events that can happen to a pair keeps its promises."""

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from shared import deliveries, owner, runs
from shared.decision import Decision
from shared.pair import (
    UNSETTLED,
    Cause,
    Channel,
    DeliveryState,
    Fault,
    HistoryEntry,
    Pair,
    Verdict,
)
from tests.clocks import NOON
from tests.pairs import OWNER, a_pair

POLICY = runs.Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))
CHANNELS = st.sampled_from(list(Channel))


class PairMachine(RuleBasedStateMachine):
    """A pair, a Telegram that is a set of message ids per channel, and handlers that may be arbitrarily late."""

    attempts: Bundle[tuple[str, Channel, str]] = Bundle("attempts")
    posted: Bundle[tuple[str, Channel, str, int]] = Bundle("posted")

    @initialize()
    def begin(self) -> None:
        self.pair: Pair = a_pair()
        self.now = NOON
        self.ids = 0
        self.history: dict[str, HistoryEntry] = {}
        self.calls: dict[tuple[str, Channel], int] = {}
        self.in_telegram: dict[Channel, set[int]] = {channel: set() for channel in Channel}
        self.run_ids: list[str] = []
        self.finished_success = 0

    def apply(self, decision: Decision[Pair, Any]) -> Any:
        if decision.archive is not None:
            kept = self.history.get(decision.archive.run.run_id)
            if kept is None or kept.run.revision < decision.archive.run.revision:
                self.history[decision.archive.run.run_id] = decision.archive
        if decision.record is not None:
            self.pair = decision.record
        return decision.result

    def new_id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}{self.ids}"

    @rule(seconds=st.sampled_from([1, 30, 119, 121, 181, 301, 1300, 5000, 20000, 86400, 200000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def tick(self) -> None:
        due = self.pair.wake_at is not None and self.pair.wake_at <= self.now
        before = self.pair
        run_id = self.new_id("run")
        result = self.apply(runs.claim(before, now=self.now, run_id=run_id, policy=POLICY))
        if not due:
            assert self.pair is before
            assert isinstance(result, runs.NothingToPublish)
            return
        assert self.pair.wake_at is None or self.pair.wake_at > self.now, "what was due has been dealt with"
        if isinstance(result, runs.Claimed):
            assert result.channels
            self.run_ids.append(result.run_id)
            again = runs.claim(self.pair, now=self.now, run_id=run_id, policy=POLICY)
            assert again.record is None, "a tick that comes twice changes nothing"

    @rule()
    def trigger(self) -> None:
        run_id = self.new_id("manual")
        last = self.pair.last_manual_trigger_time
        result = self.apply(owner.trigger(self.pair, now=self.now, run_id=run_id, by=OWNER, policy=POLICY))
        if isinstance(result, owner.Accepted):
            assert last is None or self.now - last >= POLICY.manual_interval
            assert self.pair.last_manual_trigger_time == self.now
            self.run_ids.append(result.run_id)
            again = owner.trigger(self.pair, now=self.now, run_id=run_id, by=OWNER, policy=POLICY)
            assert again.record is None
            assert isinstance(again.result, owner.Accepted), "a trigger recognises its own write"

    @rule()
    def trigger_and_undo(self) -> None:
        run_id = self.new_id("undone")
        before = self.pair
        decision = owner.trigger(before, now=self.now, run_id=run_id, by=OWNER, policy=POLICY)
        if isinstance(decision.result, owner.Accepted) and decision.record is not None:
            undone = owner.undo(decision.record, run_id=decision.result.run_id, now=self.now)
            assert undone.result
            assert undone.record is not None
            assert undone.record.last_manual_trigger_time == before.last_manual_trigger_time
            assert undone.record.manual_trigger_count == before.manual_trigger_count
            if before.run is None:
                assert undone.record.wake_at == before.wake_at

    @rule(target=attempts, channel=CHANNELS, which=st.integers(0, 3))
    def start(self, channel: Channel, which: int) -> tuple[str, Channel, str]:
        run_id = self.run_ids[-1 - which] if len(self.run_ids) > which else "none"
        attempt_id = self.new_id("attempt")
        before = self.pair
        result = self.apply(
            deliveries.start(before, run_id=run_id, channel=channel, attempt_id=attempt_id, now=self.now)
        )
        if result is deliveries.Start.GO:
            assert before.run is not None
            assert before.run.delivery(channel).state is DeliveryState.QUEUED
            again = deliveries.start(self.pair, run_id=run_id, channel=channel, attempt_id=attempt_id, now=self.now)
            assert again == Decision(None, deliveries.Start.GO)
            return (run_id, channel, attempt_id)
        return (run_id, channel, "")

    @rule(target=posted, attempt=consumes(attempts))
    def telegram_accepts(self, attempt: tuple[str, Channel, str]) -> tuple[str, Channel, str, int]:
        run_id, channel, attempt_id = attempt
        if not attempt_id:
            return (run_id, channel, "", 0)
        self.ids += 1
        self.in_telegram[channel].add(self.ids)
        self.calls[attempt_id, channel] = self.ids
        return (run_id, channel, attempt_id, self.ids)

    @rule(message=posted)
    def settle_sent(self, message: tuple[str, Channel, str, int]) -> None:
        _, channel, attempt_id, message_id = message
        if attempt_id:
            outcome = deliveries.Posted(message_id, self.now)
            self.settle(channel, attempt_id, outcome)
            kept = {r.message_id for r in self.pair.replaced(channel)}
            live = self.pair.live(channel)
            forgotten = len(self.pair.replaced(channel)) >= deliveries.DELETIONS_NAMED
            assert message_id in kept or (live is not None and live.message_id == message_id) or forgotten

    @rule(message=posted)
    def settle_unknown(self, message: tuple[str, Channel, str, int]) -> None:
        _, channel, attempt_id, _ = message
        if attempt_id:
            self.settle(channel, attempt_id, deliveries.Unknown("no answer"))

    @rule(
        attempt=consumes(attempts),
        outcome=st.sampled_from(["own", "unknown fault", "throttled", "moved", "not delivered"]),
    )
    def telegram_does_not_accept(self, attempt: tuple[str, Channel, str], outcome: str) -> None:
        _, channel, attempt_id = attempt
        if attempt_id:
            self.ids += 1
            outcomes: dict[str, deliveries.Outcome] = {
                "own": deliveries.Refused("Forbidden: bot was kicked from the channel chat", Fault.PAIR),
                "unknown fault": deliveries.Refused("Bad Request: SOMETHING_NEW", Fault.UNKNOWN),
                "throttled": deliveries.GivenBack(self.now + timedelta(seconds=40), "429"),
                "not delivered": deliveries.GivenBack(self.now + timedelta(seconds=15), "refused"),
                "moved": deliveries.Moved(-1009000000000 - self.ids),
            }
            self.settle(channel, attempt_id, outcomes[outcome])

    def settle(self, channel: Channel, attempt_id: str, outcome: deliveries.Outcome) -> None:
        decision = deliveries.settle(self.pair, channel=channel, attempt_id=attempt_id, outcome=outcome, now=self.now)
        self.apply(decision)
        if not isinstance(outcome, deliveries.Moved | deliveries.GivenBack):
            again = deliveries.settle(self.pair, channel=channel, attempt_id=attempt_id, outcome=outcome, now=self.now)
            assert again.record is None, "a settle that comes twice changes nothing"

    @rule()
    def pause(self) -> None:
        self.apply(owner.pause(self.pair, now=self.now, reason="holiday"))
        assert not self.pair.is_active

    @rule()
    def resume(self) -> None:
        was = self.pair
        self.apply(owner.resume(self.pair, now=self.now, policy=POLICY))
        if was.is_active:
            assert self.pair is was
        elif was.run is None and was.last_manual_trigger_time is not None:
            assert self.pair.wake_at is not None
            assert self.pair.wake_at >= min(was.last_manual_trigger_time + POLICY.manual_interval, self.now)

    @rule(title=st.sampled_from(["Harbor", "Quay", "Pier"]))
    def edit(self, title: str) -> None:
        self.apply(owner.edit(self.pair, now=self.now, changes={"open_channel_title": title}, policy=POLICY))

    @rule(reason=st.just("Tier 1: price missing"))
    def cannot_be_rendered(self, reason: str) -> None:
        if self.pair.run is not None:
            self.apply(runs.refuse(self.pair, run_id=self.pair.run.run_id, error=reason, now=self.now))

    @invariant()
    def nothing_active_is_forgotten(self) -> None:
        if hasattr(self, "pair") and (self.pair.is_active or self.pair.run is not None):
            assert self.pair.wake_at is not None

    @invariant()
    def a_run_is_on_exactly_while_something_is_unsettled(self) -> None:
        if not hasattr(self, "pair"):
            return
        if self.pair.run is not None:
            assert self.pair.run.unsettled
        if self.pair.last_broadcast is not None:
            assert not self.pair.last_broadcast.unsettled
            assert self.pair.last_broadcast.finished_at is not None

    @invariant()
    def every_state_carries_what_it_says(self) -> None:
        for run in self.known_runs():
            for channel, delivery in run.deliveries():
                assert (delivery.until is not None) == (delivery.state in UNSETTLED)
                assert (delivery.message_id is not None) == (delivery.state is DeliveryState.SENT)
                if delivery.state is DeliveryState.SENT:
                    assert delivery.attempt_id is not None
                    assert self.calls[delivery.attempt_id, channel] == delivery.message_id
                if delivery.state in {DeliveryState.FAILED, DeliveryState.CANCELLED}:
                    assert (delivery.attempt_id or "", channel) not in self.calls

    @invariant()
    def one_message_per_chat_and_run_at_most(self) -> None:
        for run in self.known_runs():
            for channel, delivery in run.deliveries():
                accepted = [a for (a, c) in self.calls if c is channel and a == delivery.attempt_id]
                assert len(accepted) <= 1

    @invariant()
    def the_counters_add_up(self) -> None:
        if not hasattr(self, "pair"):
            return
        pair = self.pair
        finished = [run for run in self.known_runs() if run.finished_at is not None]
        assert pair.total_broadcasts == len(finished)
        assert pair.successful_broadcasts == sum(run.verdict is Verdict.SUCCESS for run in finished)
        assert pair.failed_broadcasts == sum(run.verdict is Verdict.FAILURE for run in finished)
        assert 0 <= pair.consecutive_failures <= runs.FAILURES_BEFORE_PAUSE

    @invariant()
    def only_the_schedule_and_the_cooldown_decide_when(self) -> None:
        if not hasattr(self, "pair"):
            return
        if self.pair.retry_at is not None and self.pair.next_send_time is not None:
            retrying = self.pair.run is not None and self.pair.run.cause is Cause.RETRY
            assert not retrying

    def known_runs(self) -> list[Any]:
        if not hasattr(self, "pair"):
            return []
        known = {entry.run.run_id: entry.run for entry in self.history.values()}
        for run in (self.pair.last_broadcast, self.pair.run):
            if run is not None:
                known[run.run_id] = run
        return list(known.values())


PairMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestPair = PairMachine.TestCase
