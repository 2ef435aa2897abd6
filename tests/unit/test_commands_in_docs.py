"""Every command that a document gives is one that its program takes."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra.operator.cli import main
from shared.pace import GateReason
from tests.programs import need

ROOT = Path(__file__).parents[2]
WITH_COMMANDS = ("README.md", "CONTRIBUTING.md", "docs/runbook.md", "docs/moving-over.md", "infra/deploy.sh")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in WITH_COMMANDS}
RUNBOOK = TEXTS["docs/runbook.md"]


def code(text: str) -> Iterator[str]:
    """The lines of the text's code blocks and its inline code; a script is code throughout."""
    if text.startswith("#!"):
        yield from text.splitlines()
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    yield from re.findall(
        r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    )


def commands(program: str, text: str) -> Iterator[str]:
    """What is given to this program, up to a pipe or the end of the command."""
    for line in code(re.sub(r"\\\n\s*", " ", text)):
        for found in re.findall(rf"(?:^|[\s/(|]){program} ([^|&;#]*)", line.replace("\n", " ")):
            if not line.lstrip().startswith("#"):
                yield found.strip().rstrip(").,")


# --- broadcastctl -----------------------------------------------------------------------------------------------------

OURS = sorted({found for text in TEXTS.values() for found in commands("broadcastctl", text)})


@pytest.mark.parametrize("line", OURS)
def test_broadcastctl_takes_every_command_that_is_written_down(line: str) -> None:
    """Parsed to the last option, and not run."""
    arguments = shlex.split(line.replace("…", "x").split(">")[0])
    group: click.Command = main
    context = click.Context(main)
    while isinstance(group, click.Group):
        name, command, arguments = group.resolve_command(context, arguments)
        assert command is not None
        group, context = command, click.Context(command, info_name=name, parent=context)
        if not arguments and isinstance(group, click.Group):
            return  # a family of commands, named as such
    for parameter in group.params:
        if isinstance(parameter.type, click.Path | click.File):
            parameter.type = click.STRING  # the file is the reader's
    try:
        group.make_context(line, arguments, parent=context.parent)
    except click.exceptions.NoArgsIsHelpError:
        return
    except click.MissingParameter:
        assert not arguments, line  # named without its arguments, in a sentence


# --- gcloud -----------------------------------------------------------------------------------------------------------

GCLOUD = sorted({f"gcloud {found}" for text in TEXTS.values() for found in commands("gcloud", text)})


def _plain(command: str) -> str:
    """With its variables as plain words."""
    return re.sub(r'"?\$\{?(\w+)(?::-[^}]*)?\}?', lambda name: f"v{name[1].lower()}", command).replace('"', "")


@pytest.mark.server
def test_gcloud_takes_every_command_that_is_written_down(tmp_path: Path) -> None:
    gcloud = need("gcloud")
    whole = [_plain(command) for command in GCLOUD if len(command.split()) > 2]
    assert len(whole) > 25
    listed = tmp_path / "commands.json"
    listed.write_text(json.dumps([{"command_string": command} for command in [*whole, "gcloud pubsub topcs list"]]))

    done = subprocess.run(
        [gcloud, "meta", "lint-gcloud-commands", "--commands-file", str(listed)],
        env={**os.environ, "CLOUDSDK_CORE_PROJECT": "myproject", "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    wrong = [one["command_string"] for one in json.loads(done.stdout) if not one["success"]]
    assert wrong == ["gcloud pubsub topcs list"], done.stdout


# --- what they name ---------------------------------------------------------------------------------------------------


def test_every_resource_of_terraform_that_a_command_names_is_declared() -> None:
    declared = {
        f"{kind}.{name}"
        for file in (ROOT / "infra" / "terraform").glob("*.tf")
        for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {found for text in TEXTS.values() for found in re.findall(r"\bgoogle_\w+\.\w+", text)}

    assert named
    assert named <= declared
    indexes = json.loads((ROOT / "infra" / "terraform" / "firestore.indexes.json").read_text(encoding="utf-8"))
    keys = {f"{index['collectionGroup']}-{index['fields'][0]['fieldPath']}" for index in indexes["indexes"]}
    assert set(re.findall(r'google_firestore_index\.composite\["([^"]+)"\]', RUNBOOK)) == keys


def test_every_target_of_make_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) | {".venv/.ready-to-run"}
    called = {word for text in TEXTS.values() for line in commands("make", text) for word in line.split()}
    options = {word for word in called if "=" in word or word.startswith(("-", "/"))}

    assert called - options <= targets


def test_every_link_of_the_runbook_into_itself_arrives() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    }

    links = set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK))

    assert links
    assert links <= anchors


def test_every_reason_for_a_closed_gate_is_explained() -> None:
    chapters = RUNBOOK.split("### The gate is closed")[1]
    explained = set(re.findall(r"^\| \*([a-z -]+)\* \|", chapters, re.MULTILINE))

    # A throttled gate has an alert of its own.
    assert {str(reason) for reason in GateReason} - {GateReason.THROTTLED} | {"pause-all"} <= explained


def test_every_function_is_deployed_on_the_way_back() -> None:
    functions = json.loads((ROOT / "infra" / "terraform" / "functions.json").read_text(encoding="utf-8"))
    loop = re.search(r"^for function in (.*); do infra/deploy.sh \$function; done$", RUNBOOK, re.MULTILINE)

    assert loop is not None
    assert set(loop[1].split()) == set(functions)
