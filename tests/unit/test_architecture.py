"""The shape of the code: who may import whom, what a rule may not know, and that every setting is described."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.settings import ALL, Setting

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(p.name for p in (ROOT / "functions").iterdir() if p.is_dir() and not p.name.startswith("__"))
RULES = [
    "pair",
    "runs",
    "deliveries",
    "owner",
    "pace",
    "schedule",
    "messages",
    "decision",
    "taking_down",
    "fields",
    "pair_fields",
    "registration",
    "advice",
    "overview",
]
WORLD = {
    "time",
    "random",
    "secrets",
    "os",
    "requests",
    "urllib3",
    "socket",
    "sqlite3",
    "threading",
    "pathlib",
    "logging",
}
"""What a pure function has no business with."""
NOW = {"now", "utcnow", "today", "uuid1", "uuid4"}
"""Names that read a clock or roll dice."""


def sources(folder: str) -> list[Path]:
    found = sorted(path for path in (ROOT / folder).rglob("*.py"))
    assert found, f"there is nothing in {folder}"
    return found


def imports(path: Path) -> Iterator[str]:
    """Full names of what the file imports, anywhere in it: `shared.pair.Pair`, `functions.send.handler`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of(packages: set[str], path: Path) -> list[str]:
    return [name for name in imports(path) if name.split(".")[0] in packages]


@pytest.mark.parametrize("path", sources("shared"), ids=lambda p: p.name)
def test_shared_code_imports_neither_a_function_nor_infrastructure(path: Path) -> None:
    assert of({"functions", "infra", "tests"}, path) == []


@pytest.mark.parametrize("path", sources("functions"), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_function_imports_no_infrastructure_and_no_other_function(path: Path) -> None:
    own = f"functions.{path.parent.name}."

    assert of({"infra", "tests"}, path) == []
    assert [name for name in of({"functions"}, path) if not f"{name}.".startswith(own)] == []


@pytest.mark.parametrize("path", sources("infra"), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_what_runs_imports_no_tests(path: Path) -> None:
    assert of({"tests"}, path) == []


@pytest.mark.parametrize("module", RULES)
def test_a_rule_knows_no_clock_no_dice_no_network_and_no_store(module: str) -> None:
    path = ROOT / "shared" / f"{module}.py"

    names = {
        node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
    }
    imported = {part for name in imports(path) for part in name.split(".")}

    assert of(WORLD, path) == []
    assert (names | imported) & NOW == set()


@pytest.mark.parametrize("module", RULES)
def test_a_rule_stands_on_rules_and_records_alone(module: str) -> None:
    used = {name.split(".")[1] for name in of({"shared"}, ROOT / "shared" / f"{module}.py")}

    assert used <= {*RULES, "clock"}


def test_the_clock_lends_the_rules_nothing_but_the_check_of_a_time() -> None:
    borrowed = {name for module in RULES for name in imports(ROOT / "shared" / f"{module}.py") if "clock" in name}

    assert borrowed == {"shared.clock.aware"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_folder_has_an_entry_point_of_its_name(name: str) -> None:
    tree = ast.parse((ROOT / "functions" / name / "main.py").read_text(encoding="utf-8"))

    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert name in found
    decorators = [ast.unparse(decorator) for decorator in found[name].decorator_list]
    assert decorators in (["functions_framework.cloud_event"], ["functions_framework.http"])


def test_there_are_functions() -> None:
    assert {"tick", "fanout", "send", "trigger"} <= set(FUNCTIONS)


@pytest.mark.parametrize("path", sources("infra/telegram_simulator"), ids=lambda p: p.name)
def test_the_simulated_telegram_knows_nothing_of_ours(path: Path) -> None:
    """Only its command line takes the machine's clock from us; a Telegram that is started alone needs one."""
    ours = [n for n in of({"functions", "shared", "infra"}, path) if not n.startswith("infra.telegram_simulator")]

    assert path.name == "__main__.py" or ours == []


# --- dependencies -----------------------------------------------------------------------------------------------------


PINNED = (
    "requirements.txt",
    "infra/benchmark/drivers/requirements.txt",
    "infra/embedded/requirements.txt",
    "infra/migration/requirements.txt",
    "tests/requirements.txt",
)


def requirements(path: str) -> list[str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.mark.parametrize("path", PINNED)
def test_every_dependency_is_pinned(path: str) -> None:
    assert requirements(path)
    assert [line for line in requirements(path) if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9a-z.]+", line)] == []


def test_the_embedded_engine_runs_on_the_versions_the_functions_are_deployed_with() -> None:
    deployed, embedded = (
        dict(line.split("==") for line in requirements(path))
        for path in ("requirements.txt", "infra/embedded/requirements.txt")
    )

    assert {name: embedded[name] for name in deployed if name in embedded} == {
        name: version for name, version in deployed.items() if name in embedded
    }
    assert {"functions-framework", "msgspec", "requests", "PyJWT", "cronsim", "tzdata"} <= set(embedded)


def test_the_embedded_engine_installs_no_client_library_of_the_cloud() -> None:
    assert [
        line for line in requirements("infra/embedded/requirements.txt") if re.match("google|grpc|proto", line)
    ] == []


# --- settings ---------------------------------------------------------------------------------------------------------

SAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
A_SETTING = re.compile(r"# ([A-Z][A-Z0-9_]*)=(.*)")
DESCRIBED = {found[1]: found[2] for line in SAMPLE if (found := A_SETTING.fullmatch(line))}


def test_every_setting_is_described_and_nothing_else() -> None:
    assert set(DESCRIBED) == {setting.name for setting in ALL}


def test_the_sample_changes_nothing_as_it_is() -> None:
    assert [line for line in SAMPLE if line and not line.startswith("#")] == []


@pytest.mark.parametrize("setting", ALL, ids=lambda s: s.name)
def test_a_sample_value_is_one_the_setting_takes(setting: Setting[Any]) -> None:
    setting.parse(DESCRIBED[setting.name] or setting.default or "")


@pytest.mark.parametrize("setting", [s for s in ALL if s.default], ids=lambda s: s.name)
def test_a_default_is_shown_as_it_is(setting: Setting[Any]) -> None:
    assert DESCRIBED[setting.name] == setting.default


@pytest.mark.parametrize("setting", ALL, ids=lambda s: s.name)
def test_a_description_stands_above_its_setting_or_above_its_group(setting: Setting[Any]) -> None:
    line = next(number for number, text in enumerate(SAMPLE) if text.startswith(f"# {setting.name}="))
    while A_SETTING.fullmatch(SAMPLE[line]):
        line -= 1

    assert re.match(r"# \w+.* \w+", SAMPLE[line]), f"nothing is said of {setting.name}"
