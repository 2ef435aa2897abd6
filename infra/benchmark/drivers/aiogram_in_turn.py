"""aiogram's documented broadcast: one message after the other with 0.05 s between them."""

import asyncio

from infra.benchmark.drivers.aiogram_bot import made_bot, send
from infra.benchmark.drivers.turns import Work, read_work, take_turns

PAUSE_SECONDS = 0.05


async def send_all(work: Work) -> None:
    """In turn, as in aiogram's broadcast example."""
    async with made_bot(work) as bot:
        for message in work.messages:
            await send(bot, message)
            await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    given = read_work()
    take_turns(lambda: asyncio.run(send_all(given)))
