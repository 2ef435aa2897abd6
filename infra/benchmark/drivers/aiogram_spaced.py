"""aiogram with its messages evenly spaced by us: each begins at its moment, whether or not those before it are answered."""

import asyncio

from infra.benchmark.drivers.aiogram_bot import made_bot, send
from infra.benchmark.drivers.turns import Work, read_work, take_turns


async def send_all(work: Work) -> None:
    """At `work.rate` a second."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with made_bot(work) as bot, asyncio.TaskGroup() as sending:
        for number, message in enumerate(work.messages):
            await asyncio.sleep(begin + number / work.rate - loop.time())
            sending.create_task(send(bot, message))


if __name__ == "__main__":
    given = read_work()
    take_turns(lambda: asyncio.run(send_all(given)))
