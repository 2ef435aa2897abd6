"""The rules of taking an ended pair's messages out of their channels: wished, claimed by a tick, settled by the send.

Pure functions: the time is an argument, nothing is read or written here. A deletion may be repeated without harm, so an attempt
needs no mark of its own while it runs: it is tried again when `take_down.at` has come, until every message is known to be gone.
"""

from datetime import datetime, timedelta

from shared.decision import Decision, unchanged
from shared.pair import Channel, Pair, Replaced, TakeDown, channel_fields, replace

FIRST_BACK_OFF = timedelta(minutes=3)
"""Until an attempt is made again; doubled each time."""
MOST_TRIES = 10
"""So it is given up after about two days; what Telegram said stays with the message."""


def wish(pair: Pair, *, now: datetime) -> Pair:
    """The ended pair with everything that stands in its channels named for deletion, due now."""
    for channel in Channel:
        pair = _named(pair, channel)
    return replace(pair, take_down=TakeDown(at=now if remaining(pair) else None), updated_at=now)


def include_late(pair: Pair, *, now: datetime) -> Pair:
    """A message of an ended pair that turned out to be posted goes as well, if the others were to go."""
    return pair if pair.take_down is None else wish(pair, now=now)


def remaining(pair: Pair) -> tuple[Channel, ...]:
    """The channels from which something is still to be taken."""
    return tuple(channel for channel in Channel if pair.replaced(channel))


def claim(pair: Pair, *, now: datetime, attempt_id: str) -> Decision[Pair, tuple[Channel, ...]]:
    """Begin an attempt if one is due: the channels to see to. The next one is due after a back-off, should this one be lost."""
    down = pair.take_down
    if down is None or down.at is None:
        return unchanged(())
    if down.attempt_id == attempt_id:
        return unchanged(remaining(pair))
    if down.at > now:
        return unchanged(())
    if down.tries >= MOST_TRIES:
        return Decision(replace(pair, take_down=replace(down, at=None), updated_at=now), ())
    again_at = now + FIRST_BACK_OFF * 2**down.tries
    begun = replace(down, at=again_at, tries=down.tries + 1, attempt_id=attempt_id)
    return Decision(replace(pair, take_down=begun, updated_at=now), remaining(pair))


def gone(pair: Pair, *, channel: Channel, message_ids: frozenset[int], now: datetime) -> Decision[Pair, bool]:
    """These messages stand no more. True if nothing is left to take down."""
    kept = tuple(r for r in pair.replaced(channel) if r.message_id not in message_ids)
    after = replace(pair, **channel_fields(channel, replaced=kept))
    done = not remaining(after)
    if pair.take_down is not None and done:
        after = replace(after, take_down=replace(pair.take_down, at=None))
    return unchanged(done) if after == pair else Decision(replace(after, updated_at=now), done)


def put_off(pair: Pair, *, until: datetime, now: datetime) -> Decision[Pair, None]:
    """Telegram asked for a pause: the next attempt does not come before it is over, and this one does not count."""
    down = pair.take_down
    if down is None or down.at is None:
        return unchanged(None)
    waiting = replace(down, at=max(down.at, until), tries=max(0, down.tries - 1))
    return Decision(replace(pair, take_down=waiting, updated_at=now), None)


def _named(pair: Pair, channel: Channel) -> Pair:
    live = pair.live(channel)
    if live is None:
        return pair
    standing = Replaced(chat=live.chat, message_id=live.message_id, sent_at=live.sent_at)
    return replace(pair, **channel_fields(channel, live=None, replaced=(*pair.replaced(channel), standing)))
