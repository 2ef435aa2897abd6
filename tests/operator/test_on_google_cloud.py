"""broadcastctl on Firestore and Pub/Sub, against Google's emulators, as a command of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.operator.cloud_workspace import PubsubDeadLetters
from infra.rehearsal.emulators import Emulator
from infra.rehearsal.production import sample
from infra.rehearsal.pubsub import Pubsub, declared
from shared.events import TickEvent, Topic
from shared.pubsub_bus import PubsubBus, topic_path

pytestmark = [pytest.mark.server]
ROOT = Path(__file__).parents[2]
SECRET = "the-secret-of-these-tests-that-is-long-enough"


class Ctl:
    """broadcastctl with a project's settings."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ

    def __call__(self, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "infra.operator.cli", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done


@pytest.fixture
def ctl(tmp_path: Path, firestore_emulator: Emulator) -> Ctl:
    return Ctl(
        tmp_path,
        {
            "GOOGLE_CLOUD_PROJECT": f"test-{uuid4()}",
            "FIRESTORE_EMULATOR_HOST": firestore_emulator.host,
            "JWT_SECRET_KEY": SECRET,
        },
    )


@pytest.mark.xdist_group("firestore")
def test_pairs_are_imported_looked_at_paused_and_resumed(ctl: Ctl) -> None:
    (ctl.folder / "pairs.csv").write_bytes(sample(20))

    imported = ctl("pairs", "import", "pairs.csv")
    listed = ctl("pairs", "list", "--json")
    pair_id = next(part for part in listed.stdout.split('"') if part.count("-") == 4)
    paused = ctl("pairs", "pause", pair_id, "--reason", "a test")
    shown = ctl("pairs", "show", pair_id)
    ctl("pairs", "resume", pair_id)
    status = ctl("status")

    where = f"Firestore database (default) of project {ctl.environ['GOOGLE_CLOUD_PROJECT']} (emulator at"
    assert imported.stderr.startswith(f"Writing to {where}")
    assert paused.stderr.startswith(f"Writing to {where}")
    assert "20" in imported.stdout
    assert "a test" in shown.stdout
    assert where in status.stdout
    assert status.stderr == ""


@pytest.mark.xdist_group("firestore")
def test_a_restored_database_is_paused_and_what_fell_due_is_unconfirmed(ctl: Ctl) -> None:
    """The runbook's steps on the database beside the old one."""
    (ctl.folder / "pairs.csv").write_bytes(sample(20))
    restored = Ctl(ctl.folder, {**ctl.environ, "FIRESTORE_DATABASE": "restored"})
    restored("pairs", "import", "pairs.csv")

    refused = restored("restored", status=1)
    paused = restored("pause-all", "--reason", "restoring")
    said = restored("restored")
    status = json.loads(restored("status", "--json").stdout)

    assert "broadcastctl pause-all first" in refused.stderr
    assert paused.stderr.startswith("Writing to Firestore database restored of project")
    assert "20 pairs may have been sent since the backup" in said.stdout
    assert (len(status["unconfirmed"]), status["due"]["count"], status["running"]) == (20, 0, [])
    assert json.loads(ctl("status", "--json").stdout)["pairs"] == 0


@pytest.mark.xdist_group("firestore")
def test_a_token_is_signed_with_the_projects_secret(ctl: Ctl) -> None:
    token = ctl("token", "--client", "8dcdf36a-dbde-52a4-a034-ed11820e0506").stdout

    assert token.count(".") == 2


def test_a_project_without_credentials_is_one_sentence(tmp_path: Path) -> None:
    ctl = Ctl(tmp_path, {"GOOGLE_CLOUD_PROJECT": "nobodys", "NO_GCE_CHECK": "true", "HOME": str(tmp_path)})

    done = ctl("status", status=2)

    assert "There are no Google Cloud credentials here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def pubsub(pubsub_emulator: Emulator) -> Iterator[Pubsub]:
    with closing(Pubsub(pubsub_emulator.host, f"test-{uuid4()}")) as found:
        found.create(declared())
        yield found


@pytest.mark.xdist_group("pubsub")
def test_dead_letters_are_listed_and_put_back(
    pubsub: Pubsub, pubsub_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.host)
    letters = PubsubDeadLetters(pubsub.project, PubsubBus(pubsub.publisher, pubsub.project))
    assert letters.dead_letters() == []
    dead: Any = {"data": b"{}", "attributes": {"CloudPubSubDeadLetterSourceDeliveryCount": "5"}}
    pubsub.publisher.publish(topic=f"{topic_path(pubsub.project, Topic.TICKS)}-dead", messages=[dead])

    (letter,) = _listed(letters)
    assert (letter.topic, letter.error) == (Topic.TICKS, "5 deliveries failed; the log of the function says why")
    assert not letters.put_back("another")
    while not letters.put_back(letter.id):
        pass

    assert letters.dead_letters() == []
    while not (found := pubsub.pull(Topic.TICKS, 10)):
        pass
    assert [one.data for one in found] == [b"{}"]
    assert TickEvent.topic is Topic.TICKS


def _listed(letters: PubsubDeadLetters) -> list[Any]:
    while not (found := letters.dead_letters()):
        pass
    return found
