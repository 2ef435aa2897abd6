"""python-telegram-bot with its AIORateLimiter, set to one message each 1/rate s: its best setting, for by default it opens with a
burst and loses what is refused.
"""

import asyncio
from typing import Any

from telegram import Bot, InlineKeyboardMarkup
from telegram.ext import AIORateLimiter, ApplicationBuilder

from infra.benchmark.drivers.turns import Work, read_work, take_turns

MOST_AT_ONCE = 60
"""Its HTTP client looks through all connections at each request: with more of them it becomes slower."""
MOST_RETRIES = 5


async def send_all(work: Work) -> None:
    """All at once; the limiter spaces them."""
    limiter = AIORateLimiter(overall_max_rate=1, overall_time_period=1 / work.rate, max_retries=MOST_RETRIES)
    builder = ApplicationBuilder().token(work.token).base_url(f"{work.telegram_url}/bot").rate_limiter(limiter)
    room = asyncio.Semaphore(MOST_AT_ONCE)
    async with builder.build() as application:
        await asyncio.gather(*(_send(application.bot, message, room) for message in work.messages))


async def _send(bot: Bot, message: dict[str, Any], room: asyncio.Semaphore) -> None:
    keyboard = InlineKeyboardMarkup.de_json(message["reply_markup"], bot)
    async with room:
        await bot.send_message(
            message["chat_id"], message["text"], parse_mode=message["parse_mode"], reply_markup=keyboard
        )


if __name__ == "__main__":
    given = read_work()
    take_turns(lambda: asyncio.run(send_all(given)))
