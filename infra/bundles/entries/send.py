"""The send as Google Cloud starts it."""

from shared import cloud
from shared.settings import BOT_TOKEN, BOT_USERNAME, TELEGRAM_API_URL
from shared.telegram_http import open_telegram

cloud.start(reads=(BOT_USERNAME, TELEGRAM_API_URL), demands=(BOT_TOKEN,), telegram=open_telegram)

from functions.send.main import send  # noqa: E402 - it takes the engine when it is loaded

__all__ = ["send"]
