"""Fixtures that tests of several folders share."""

import signal

from hypothesis import HealthCheck, settings

from tests.emulators import firestore_emulator, pubsub_emulator

__all__ = ["firestore_emulator", "pubsub_emulator"]

# How long an example takes says more about what else this machine does than about the code.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell's background jobs, and what they start, ignore Ctrl-C; here programs are stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)
