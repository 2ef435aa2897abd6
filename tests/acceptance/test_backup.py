"""The runbook's backup of a running engine, and its way back."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.clock import MachineClock
from tests.acceptance.running import ROOT, TOKEN, Program, account, wait_for, write_pairs
from tests.programs import need

pytestmark = pytest.mark.server
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PAIRS = 40


@pytest.fixture
def telegram() -> Simulator:
    return Simulator(
        MachineClock(), limits=Limits.off(), accept_unknown_channels=True, token=TOKEN, bot_username="acceptance_bot"
    )


@pytest.fixture
def program(tmp_path: Path, telegram: Simulator) -> Iterator[Program]:
    write_pairs(tmp_path / "my.csv", PAIRS)
    with SimulatorServer(telegram) as server:
        made = Program(tmp_path, BOT_TOKEN=TOKEN, TELEGRAM_API_URL=server.url, PAIRS="my.csv", TELEGRAM_RATE=20)
        yield made
        if made.process is not None and made.process.poll() is None:
            made.kill()


def command(beginning: str) -> list[str]:
    """The words of the runbook's one command that begins like this."""
    (found,) = set(re.findall(rf"^{re.escape(beginning)}.*$", RUNBOOK, re.MULTILINE))
    return shlex.split(found)


def test_a_backup_taken_in_the_middle_of_sending_is_restored_and_nothing_is_doubled(
    program: Program, telegram: Simulator
) -> None:
    need("sqlite3")
    program.start()
    wait_for(lambda: telegram.accepted_count() > PAIRS // 2)
    subprocess.run(command("sqlite3 data/broadcast.db"), cwd=program.folder, check=True)
    wait_for(program.all_settled)
    assert telegram.accepted_count() == 2 * PAIRS
    assert program.stop() == 0

    for beginning in ("rm -f data/broadcast.db", "cp broadcast-backup.db"):
        subprocess.run(command(beginning), cwd=program.folder, check=True)
    assert any(pair.run is not None or pair.last_broadcast is None for pair in program.pairs())
    said = program.ctl("restored")
    assert said.returncode == 0, said.stderr
    before = program.log.read_text().count("Nothing is due.")
    program.start()
    wait_for(lambda: program.log.read_text().count("Nothing is due.") > before)

    assert telegram.accepted_count() == 2 * PAIRS
    counts = account(program.pairs(), telegram)
    assert counts["sent"] > 0
    assert counts["unconfirmed"] == counts["unconfirmed but accepted"] > 0
