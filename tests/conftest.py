"""Fixtures that tests of several folders share."""

from tests.emulators import firestore_emulator, pubsub_emulator

__all__ = ["firestore_emulator", "pubsub_emulator"]
