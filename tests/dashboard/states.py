"""A pair in each state a page can show, and the texts it must have."""

from datetime import timedelta
from typing import Any

from shared.pair import Cause, Delivery, DeliveryState, Fault, Live, Pair, Run
from tests.clocks import NOON
from tests.pairs import a_pair

HOUR = timedelta(hours=1)
SENT, FAILED, UNCONFIRMED = DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNCONFIRMED
KICKED = "Forbidden: bot was kicked from the channel chat"


def _delivery(pair: Pair, which: str, state: DeliveryState, **more: Any) -> Delivery:
    chat = pair.open_chat_id if which == "open" else pair.closed_chat_id
    if state is SENT:
        more = {"message_id": 4711, "sent_at": NOON - HOUR, "tries": 1, **more}
    return Delivery(state=state, chat=chat, **more)


def _run(pair: Pair, open_: DeliveryState, closed: DeliveryState, **more: Any) -> Run:
    refused: dict[DeliveryState, dict[str, Any]] = {
        FAILED: {"error": KICKED, "fault": Fault.PAIR, "tries": 1},
        UNCONFIRMED: {"error": "no answer: cut off"},
    }
    finished = None if {open_, closed} & {DeliveryState.QUEUED, DeliveryState.SENDING} else NOON - HOUR
    return Run(
        run_id=f"00000000-0000-4000-8000-{abs(pair.open_chat_id) % 10**12:012d}",
        cause=Cause.SCHEDULE,
        due_at=NOON - HOUR,
        claimed_at=NOON - HOUR,
        finished_at=finished,
        open=_delivery(pair, "open", open_, **refused.get(open_, {}), **more),
        closed=_delivery(pair, "closed", closed, **refused.get(closed, {}), **more),
    )


def every_state() -> dict[str, tuple[Pair, list[str]]]:
    """By the state's word: the pair, and what its card must say."""

    def pair(number: int, **changes: Any) -> Pair:
        return a_pair(
            number, **{"next_send_time": NOON + 3 * HOUR, "open_channel_title": f"Harbor {number}", **changes}
        )

    def finished(number: int, open_: DeliveryState, closed: DeliveryState, **changes: Any) -> Pair:
        made = pair(number)
        lives = {
            f"{which}_live": Live(
                chat=made.open_chat_id if which == "open" else made.closed_chat_id, message_id=4711, sent_at=NOON - HOUR
            )
            for which, state in (("open", open_), ("closed", closed))
            if state is SENT
        }
        return pair(
            number, last_broadcast=_run(made, open_, closed), last_sent_time=NOON - HOUR, **{**lives, **changes}
        )

    def running(number: int, state: DeliveryState, **more: Any) -> Pair:
        made = pair(number)
        return pair(number, run=_run(made, state, DeliveryState.QUEUED, until=NOON + HOUR, **more))

    return {
        "scheduled": (pair(1), ["nothing sent yet", "never"]),
        "queued": (running(2, DeliveryState.QUEUED), ["⏳ Sending..."]),
        "sending": (running(3, DeliveryState.SENDING, tries=1, attempt_id="a", started_at=NOON), ["⏳ Sending..."]),
        "sent": (
            finished(4, SENT, SENT, total_broadcasts=1, successful_broadcasts=1),
            ["📬 Resend Messages", "1 (1 sent, 0 failed)"],
        ),
        "partly sent": (
            finished(5, SENT, FAILED, consecutive_failures=1, retry_at=NOON + HOUR / 12),
            [KICKED, "Add the bot to the channel as an administrator", "1/5", "Next try"],
        ),
        "unconfirmed": (
            finished(6, UNCONFIRMED, SENT),
            ["if the message stands there twice, delete one; if it is missing, resend"],
        ),
        "failed": (finished(7, FAILED, FAILED, consecutive_failures=3), [KICKED, "3/5"]),
        "paused": (
            finished(
                8,
                FAILED,
                FAILED,
                is_active=False,
                consecutive_failures=5,
                paused_at=NOON,
                pause_reason=f"paused after 5 failures in a row: Open channel: {KICKED}",
            ),
            ["paused after 5 failures in a row", "Resume", "5/5"],
        ),
        "not configured": (
            pair(9, sub_1_price=None),
            ["📭 Not Configured", "no subscription tier", "add at least one"],
        ),
    }
