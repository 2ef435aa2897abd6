"""The dashboard as Google Cloud starts it. It calls Telegram too: what the bot lacks is said when a pair is resumed."""

from shared import cloud
from shared.pubsub_bus import open_pubsub
from shared.settings import (
    BOT_TOKEN,
    BOT_USERNAME,
    CORS_ORIGINS,
    JWT_AUDIENCE,
    JWT_ISSUER,
    JWT_SECRET_KEY,
    JWT_SECRET_KEY_PREVIOUS,
    OPERATORS,
    TELEGRAM_API_URL,
)
from shared.telegram_http import open_telegram

cloud.start(
    reads=(
        JWT_SECRET_KEY_PREVIOUS,
        JWT_AUDIENCE,
        JWT_ISSUER,
        CORS_ORIGINS,
        OPERATORS,
        BOT_USERNAME,
        TELEGRAM_API_URL,
    ),
    demands=(BOT_TOKEN, JWT_SECRET_KEY),
    bus=open_pubsub,
    telegram=open_telegram,
)

from functions.dashboard.main import dashboard  # noqa: E402 - it takes the engine when it is loaded

__all__ = ["dashboard"]
