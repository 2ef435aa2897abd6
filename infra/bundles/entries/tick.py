"""The tick as Google Cloud starts it."""

from shared import cloud
from shared.pubsub_bus import open_pubsub

cloud.start(bus=open_pubsub)

from functions.tick.main import tick  # noqa: E402 - it takes the engine when it is loaded

__all__ = ["tick"]
