"""Production on one machine, as `make rehearse` runs it: the whole way, faults in the middle of it, and real push."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from infra.bundles.__main__ import FUNCTIONS, build
from infra.rehearsal.__main__ import rehearse
from infra.rehearsal.emulators import Emulator
from infra.rehearsal.processes import FunctionProcess
from infra.rehearsal.production import Production
from infra.rehearsal.pubsub import Pubsub, declared
from infra.rehearsal.relay import Mischief
from infra.telegram_simulator.limits import Limits
from shared.clock import MachineClock
from shared.events import BroadcastEvent, MessageEvent, Topic, decode
from shared.firestore_store import FirestoreStore
from shared.pair import Channel
from shared.pubsub_bus import PubsubBus
from shared.runs import claim
from shared.store import PAIRS
from tests.acceptance.running import account, no_secret_in
from tests.emulators import firestore_client, need_emulators
from tests.pairs import a_pair
from tests.runs import POLICY, written

pytestmark = [pytest.mark.server]

FROZEN_SECONDS = 15.0
"""Longer than a call to Firestore or Pub/Sub may take."""
PATIENCE = 480.0
"""What a process died in is looked at after two or three minutes: nobody can know earlier that it died."""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every function's bundle."""
    need_emulators()
    folder = tmp_path_factory.mktemp("build")
    for function in FUNCTIONS:
        build(function, folder / function)
    return folder


@pytest.mark.xdist_group("rehearsal")
def test_a_rehearsal_keeps_the_promises_and_says_what_it_took(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Production(bundles, folder=tmp_path) as production:
        rehearse(production, 17, (10, 100))

    said = capsys.readouterr().out
    assert "34 messages stand in 34 channels, each as recorded; none doubled, no 429" in said
    assert "of its own" in said
    assert "Resend: sent" in said
    assert "Resend on the dashboard: sent" in said
    assert said.count("1 query that found 0, 1 read of the pace") == 2
    no_secret_in(said + "".join(process.said for process in production.processes.values()))


@pytest.mark.xdist_group("faults")
def test_nothing_is_lost_doubled_or_untrue_whatever_dies_repeats_or_does_not_answer(
    bundles: Path, tmp_path: Path
) -> None:
    """200 pairs; each function is killed in the middle and started again, each emulator stands still for a while, and events
    come twice and out of order all the time."""
    with Production(
        bundles,
        folder=tmp_path,
        settings={"TELEGRAM_RATE": "40"},
        limits=Limits.off(),
        mischief=Mischief(twice=0.2, late=0.2),
        tick_seconds=5.0,
    ) as production:
        since = MachineClock().now()  # before the import: the scheduler may tick while it goes on
        production.import_pairs(200)
        production.tick()
        for accepted, function in ((40, "send"), (100, "fanout"), (160, "tick"), (200, "trigger")):
            _wait_until_accepted(production, accepted)
            production.processes[function].kill()
            production.processes[function].start()
            production.tick()
        for accepted, emulator in ((220, production.firestore), (280, production.pubsub_emulator)):
            _wait_until_accepted(production, accepted)
            _freeze(emulator)
        production.wait_until_settled(since, PATIENCE)

        counts = account(production.pairs(), production.simulator)
        failed_deliveries = production.relay.failures
        no_secret_in("".join(process.said for process in production.processes.values()))

    assert counts["sent"] + counts["unconfirmed"] == 400
    # Unknown is what was inside a call when its process died, and whose start was written by a Firestore that stood still.
    assert counts["unconfirmed"] < 200
    assert failed_deliveries > 0, "nothing went wrong, so nothing was shown"


def _wait_until_accepted(production: Production, count: int) -> None:
    production.wait_until(
        lambda: production.simulator.accepted_count() >= count,
        PATIENCE,
        lambda: f"{production.simulator.accepted_count()} accepted",
    )


def _freeze(emulator: Emulator) -> None:
    """For a while nothing is answered, and no connection breaks."""
    emulator.freeze()
    try:
        waiting = Thread(target=MachineClock().sleep, args=(FROZEN_SECONDS,))
        waiting.start()
        waiting.join()
    finally:
        emulator.thaw()


@pytest.fixture
def pushed(
    bundles: Path, tmp_path: Path, firestore_emulator: Emulator, pubsub_emulator: Emulator
) -> Iterator[tuple[FirestoreStore, Pubsub]]:
    """The fan-out behind a real push subscription."""
    client = firestore_client(firestore_emulator)
    project = client.project
    settings = {
        "GOOGLE_CLOUD_PROJECT": project,
        "FIRESTORE_EMULATOR_HOST": firestore_emulator.host,
        "PUBSUB_EMULATOR_HOST": pubsub_emulator.host,
        "BOT_USERNAME": "test_shop_bot",
    }
    with (
        FunctionProcess("fanout", bundles / "fanout", settings, log=tmp_path / "log") as process,
        closing(Pubsub(pubsub_emulator.host, project)) as pubsub,
    ):
        how = declared()
        pubsub.create({Topic.BROADCASTS: how[Topic.BROADCASTS]}, push_to=process.url)
        pubsub.create({Topic.MESSAGES: how[Topic.MESSAGES]})
        yield FirestoreStore(client), pubsub


@pytest.mark.xdist_group("firestore")
def test_an_event_pushed_by_pubsub_itself_is_understood(pushed: tuple[FirestoreStore, Pubsub]) -> None:
    store, pubsub = pushed
    now = MachineClock().now()
    run_id = str(uuid4())
    pair = written(claim(a_pair(now=now), now=now, run_id=run_id, policy=POLICY))
    store.create(PAIRS, pair.id, pair)

    slots = {Channel.OPEN: now, Channel.CLOSED: now}
    PubsubBus(pubsub.publisher, pubsub.project).publish([BroadcastEvent(pair_id=pair.id, run_id=run_id, slots=slots)])

    found: dict[str, MessageEvent] = {}
    while len(found) < 2:
        found |= {p.message_id: decode(MessageEvent, p.data) for p in pubsub.pull(Topic.MESSAGES, 10)}
    assert {(event.pair_id, event.channel) for event in found.values()} == {
        (pair.id, Channel.OPEN),
        (pair.id, Channel.CLOSED),
    }
