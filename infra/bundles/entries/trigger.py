"""The trigger as Google Cloud starts it. It calls Telegram too: what the bot may do in a channel is looked up."""

from shared import cloud
from shared.pubsub_bus import open_pubsub
from shared.settings import (
    BOT_TOKEN,
    CORS_ORIGINS,
    JWT_AUDIENCE,
    JWT_ISSUER,
    JWT_SECRET_KEY,
    JWT_SECRET_KEY_PREVIOUS,
    TELEGRAM_API_URL,
)
from shared.telegram_http import open_telegram

cloud.start(
    reads=(JWT_SECRET_KEY_PREVIOUS, JWT_AUDIENCE, JWT_ISSUER, CORS_ORIGINS, TELEGRAM_API_URL),
    demands=(BOT_TOKEN, JWT_SECRET_KEY),
    bus=open_pubsub,
    telegram=open_telegram,
)

from functions.trigger.main import trigger  # noqa: E402 - it takes the engine when it is loaded

__all__ = ["trigger"]
