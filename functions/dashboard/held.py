"""What holds everything back, in the words of somebody whose messages wait. Pure."""

from dataclasses import dataclass
from datetime import datetime

from shared.pace import GateReason, Pace

_WHY = {
    GateReason.THROTTLED: "Telegram asked for a pause",
    GateReason.UNREACHABLE: "Telegram cannot be reached",
    GateReason.REFUSALS: "Telegram refuses the messages of many channels at once",
    GateReason.BOT_UNUSABLE: "Telegram does not accept the bot; whoever runs this service must look after it",
}


@dataclass(frozen=True)
class Held:
    """Sending is held back since then."""

    why: str
    since: datetime


def held(pace: Pace | None) -> Held | None:
    """Why nothing is sent just now; None while messages may go."""
    if pace is None:
        return None
    if pace.paused_all is not None:
        return Held("the operator paused everything", pace.paused_all.since)
    if pace.gate is not None:
        return Held(_WHY[pace.gate.reason], pace.gate.since)
    return None
