"""The rehearsal of the moving over comes out right, and the document names the commands it runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from infra.operator.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "moving-over.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"broadcastctl ([a-z-]+)((?: [^\n`|]*)?)", DOCUMENT)
FILES = sorted(set(re.findall(r"infra/[a-z_/]+\.[a-z]+", DOCUMENT)))


@pytest.mark.server
def test_the_rehearsal_comes_out_right(server: str) -> None:  # noqa: ARG001 - says whether PostgreSQL is there
    own = {name: value for name, value in os.environ.items() if name not in {"DATA_DIR", "BOT_TOKEN"}}

    done = subprocess.run(
        [sys.executable, "-m", "infra.migration.rehearsal"],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "17 rows of texts and 17 of states: equal" in done.stdout
    assert "26 messages sent; 34 channels with one message, 0 with two" in done.stdout


def test_every_command_and_option_in_the_document_exists() -> None:
    assert {name for name, _ in COMMANDS} >= {"migrate", "verify", "shadow", "export"}
    for name, rest in COMMANDS:
        command = main.commands[name]
        if isinstance(command, click.Group):
            command = command.commands[rest.split()[0]]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"{name}{rest}"


@pytest.mark.parametrize("path", FILES)
def test_every_file_in_the_document_exists(path: str) -> None:
    assert (ROOT / path).exists()
