"""The fan-out as Google Cloud starts it. It has no token to ask Telegram with, so the bot's name must be given."""

from shared import cloud
from shared.pubsub_bus import open_pubsub
from shared.settings import BOT_USERNAME

cloud.start(demands=(BOT_USERNAME,), bus=open_pubsub)

from functions.fanout.main import fanout  # noqa: E402 - it takes the engine when it is loaded

__all__ = ["fanout"]
