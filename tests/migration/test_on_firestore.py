"""The original's tables into Firestore, as the command does it: dry run, write, again, verify, shadow, export."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from infra.rehearsal.emulators import Emulator
from tests.migration.conftest import Original

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.server, pytest.mark.xdist_group("firestore")]


def test_the_original_moves_over_to_firestore_and_back(
    original: Original, firestore_emulator: Emulator, tmp_path: Path
) -> None:
    for _ in range(5):
        original.pair({"broadcast_status": "completed"})
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GOOGLE_CLOUD_PROJECT": f"test-{uuid4()}",
        "FIRESTORE_EMULATOR_HOST": firestore_emulator.host,
    }

    def ctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "infra.operator.cli", *arguments],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    source = ("--from", original.url)
    dry = ctl("migrate", *source)
    before = json.loads(ctl("pairs", "list", "--json").stdout)["count"]
    written = ctl("migrate", *source, "--write")
    again = ctl("migrate", *source, "--write")
    ctl("verify", *source)
    shadow = ctl("shadow", "--for", "0.0005", "--json")
    ctl("export", "--to", str(tmp_path / "back"))

    assert "Writing to" not in dry.stderr
    assert before == 0
    assert f"Writing to Firestore database (default) of project {environ['GOOGLE_CLOUD_PROJECT']}" in written.stderr
    assert json.loads(ctl("pairs", "list", "--json").stdout)["count"] == 5
    assert "5 unchanged" in again.stdout
    assert json.loads(shadow.stdout)
    assert len((tmp_path / "back" / "main_clients_database.csv").read_text().splitlines()) == 6
