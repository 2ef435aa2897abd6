"""Google's emulators for the tests: started once where they are first needed."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from google.cloud import firestore

from infra.rehearsal.emulators import HOW_TO_GET_THEM, Emulator, emulator, installed


def need_emulators() -> None:
    """Leave the test out where no emulator can be started; on the CI machine that is a failure."""
    if not installed() and not os.environ.get("CI"):
        pytest.skip(HOW_TO_GET_THEM)


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[Emulator]:
    """One Firestore for all tests; each takes a project of its own."""
    need_emulators()
    with emulator("firestore") as running:
        yield running


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[Emulator]:
    """One Pub/Sub for all tests; each takes a project of its own."""
    need_emulators()
    with emulator("pubsub") as running:
        yield running


def firestore_client(running: Emulator, *, host: str | None = None) -> firestore.Client:
    """A client of a project that nobody else uses, and that is empty; through `host` if something stands between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", host or running.host)
        return firestore.Client(project=f"test-{uuid4()}")
