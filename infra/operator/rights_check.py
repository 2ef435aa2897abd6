"""What the bot lacks in the channels of these pairs, asked of Telegram at half the pace."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from infra.operator.progress import bar
from infra.operator.workspace_access import Failed
from shared import rights
from shared.pair import Pair
from shared.settings import BOT_TOKEN, TELEGRAM_RATE, Settings


def lacking(settings: Settings, pairs: Sequence[Pair]) -> list[tuple[int, str]]:
    """Each finding as the pair's open channel id and a sentence; nothing is written. Raises Failed without a BOT_TOKEN."""
    from shared.telegram_http import open_telegram  # late: nothing else here needs the HTTP client

    if not settings.get(BOT_TOKEN):
        raise Failed("BOT_TOKEN is not set; without it Telegram cannot be asked what the bot may do")
    found: list[tuple[int, str]] = []
    with closing(open_telegram(settings)) as telegram, bar("Asking Telegram") as progress:
        wait = paced(settings.get(TELEGRAM_RATE))
        for number, pair in enumerate(pairs, start=1):
            for finding in rights.look(telegram, pair, before_each=wait):
                found.append((pair.open_channel_id, finding.sentence))
            progress(number, len(pairs))
    return found


def paced(rate: float, sleep: Callable[[float], None] = time.sleep) -> Callable[[], None]:
    """Waits before each look, which is two calls, so that both together stay at half the rate."""
    return lambda: sleep(4.0 / rate)
