"""The house keeps its shape: who may use what, and what must be kept complete."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import ALL

ROOT = Path(__file__).parents[2]
RULES = ("pair", "runs", "deliveries", "owner", "pace", "schedule", "messages", "decision")
IMPURE = {"time", "random", "os", "requests", "sqlite3", "socket", "threading", "logging"}
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/main.py"))


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module the file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(path: Path) -> set[str]:
    """The names of everything the file calls."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


@pytest.mark.parametrize("path", sources("shared"), ids=lambda path: path.name)
def test_what_is_shared_knows_no_function_and_nothing_of_infra(path: Path) -> None:
    assert not {name for name in imported(path) if name.split(".")[0] in {"functions", "infra", "tests"}}


@pytest.mark.parametrize("path", sources("functions"), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_function_uses_what_is_shared_and_itself_only(path: Path) -> None:
    own = f"functions.{path.parent.name}"
    names = [name for name in imported(path) if name.split(".")[0] in {"functions", "infra", "tests"}]

    assert not [name for name in names if not name.startswith(own)]


@pytest.mark.parametrize("module", RULES)
def test_a_rule_reads_no_clock_no_chance_and_nothing_outside(module: str) -> None:
    path = ROOT / "shared" / f"{module}.py"

    assert not {name.split(".")[0] for name in imported(path)} & IMPURE
    assert not called(path) & {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print"}


def test_the_simulated_telegram_knows_nothing_of_ours() -> None:
    # Its command line takes the machine's clock from us; a Telegram that is started alone needs one.
    for path in sources("infra/telegram_simulator"):
        if path.name == "__main__.py":
            continue
        names = {name for name in imported(path) if name.split(".")[0] in {"functions", "shared", "infra"}}
        assert all(name.startswith("infra.telegram_simulator") for name in names), path.name


def test_every_function_has_an_entry_point_of_its_own_name() -> None:
    assert [folder.name for folder in FUNCTIONS] == ["fanout", "send", "tick", "trigger"]
    for folder in FUNCTIONS:
        tree = ast.parse((folder / "main.py").read_text(encoding="utf-8"))
        assert folder.name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_the_example_of_settings_has_every_setting_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))

    assert set(described) == {setting.name for setting in ALL}
    for setting in ALL:
        if setting.default:
            assert described[setting.name] == setting.default, setting.name


def test_every_direct_dependency_is_pinned() -> None:
    for path in (ROOT / "requirements.txt", ROOT / "infra/embedded/requirements.txt", ROOT / "tests/requirements.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-r"))]
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9a-z.]+", line)] == []


def test_the_engine_installs_the_versions_the_functions_are_deployed_with() -> None:
    deployed = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    installed = set((ROOT / "infra/embedded/requirements.txt").read_text().splitlines())

    assert deployed <= installed
