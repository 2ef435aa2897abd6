"""What both ways of sending with aiogram share."""

import asyncio
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramRetryAfter
from aiogram.types import InlineKeyboardMarkup

from infra.benchmark.drivers.turns import Work


def made_bot(work: Work) -> Bot:
    """A bot whose Telegram is the simulated one."""
    return Bot(work.token, session=AiohttpSession(api=TelegramAPIServer.from_base(work.telegram_url)))


async def send(bot: Bot, message: dict[str, Any]) -> None:
    """Again and again while Telegram asks for a pause, as aiogram's broadcast example does."""
    keyboard = InlineKeyboardMarkup.model_validate(message["reply_markup"])
    while True:
        try:
            await bot.send_message(
                message["chat_id"], message["text"], parse_mode=message["parse_mode"], reply_markup=keyboard
            )
            return
        except TelegramRetryAfter as refused:
            await asyncio.sleep(refused.retry_after)
