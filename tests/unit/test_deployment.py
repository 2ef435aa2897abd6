"""Terraform's view of the functions against the code: every function, topic, setting and secret, and nothing else."""

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.bundles.closure import imported, modules
from infra.rehearsal.pubsub import declared
from shared.cloud import EVERYWHERE, HIGHEST_RATE
from shared.events import Topic
from shared.pubsub_bus import PREFIX
from shared.settings import ALL, LOG_LEVEL

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infra" / "terraform"
ENTRIES = ROOT / "infra" / "bundles" / "entries"
FUNCTIONS: Mapping[str, Any] = json.loads((TERRAFORM / "functions.json").read_text(encoding="utf-8"))
HCL = {path.name: path.read_text(encoding="utf-8") for path in TERRAFORM.glob("*.tf")}
SECRETS = {setting.name for setting in ALL if setting.secret}
GIVEN_TO_ALL = {"GOOGLE_CLOUD_PROJECT", "FIRESTORE_DATABASE", "LOG_LEVEL"}
HANDLER_SECONDS = 100
"""A handler's own limit: the tick's, which works the longest."""


def settings_of(function: str) -> set[str]:
    """What the function's entry says it reads or demands, and what every function reads."""
    names = {name.removeprefix("shared.settings.") for name in imported(ENTRIES / f"{function}.py")}
    return {setting.name for setting in ALL if setting.name in names} | {setting.name for setting in EVERYWHERE}


def test_every_function_is_deployed_and_nothing_else() -> None:
    assert set(FUNCTIONS) == {path.parent.name for path in (ROOT / "functions").glob("*/main.py")}


def test_every_topic_is_consumed_by_one_function() -> None:
    topics = [function["consumes"]["topic"] for function in FUNCTIONS.values() if function["consumes"]]

    assert sorted(topics) == sorted(Topic)
    assert {topic: how.function for topic, how in declared().items()} == {
        Topic.TICKS: "tick",
        Topic.BROADCASTS: "fanout",
        Topic.MESSAGES: "send",
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_setting_a_function_reads_is_supplied_and_no_other(function: str) -> None:
    given = {*FUNCTIONS[function]["settings"], *FUNCTIONS[function]["secrets"], *GIVEN_TO_ALL}

    assert given == settings_of(function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_functions_code_reads_is_in_its_entry(function: str) -> None:
    """Whatever setting its modules import is checked when its instance starts."""
    files = [ROOT / path for path in modules(ROOT, ENTRIES / f"{function}.py")]
    own = [f for f in files if f.name not in ("settings.py", "cloud.py")]
    read = {name.removeprefix("shared.settings.") for file in own for name in imported(file)}

    assert {setting.name for setting in ALL if setting.name in read} <= settings_of(function) | {"DATA_DIR"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_secrets_are_secrets_and_settings_are_none(function: str) -> None:
    assert set(FUNCTIONS[function]["secrets"]) <= SECRETS
    assert not set(FUNCTIONS[function]["settings"]) & SECRETS


def test_terraform_has_a_value_for_every_setting_it_hands_on() -> None:
    block = re.search(r"values = \{(.*?)\n  \}", HCL["functions.tf"], re.DOTALL)
    assert block is not None
    values = set(re.findall(r"^\s+([A-Z_]+)\s+=", block[1], re.MULTILINE))

    assert values == {setting for function in FUNCTIONS.values() for setting in function["settings"]}
    everywhere = re.search(r"everywhere = \{(.*?)\n  \}", HCL["functions.tf"], re.DOTALL)
    assert everywhere is not None
    assert set(re.findall(r"^\s+([A-Z_]+)\s+=", everywhere[1], re.MULTILINE)) == GIVEN_TO_ALL
    assert LOG_LEVEL in EVERYWHERE


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_publish_exactly_what_its_code_publishes(function: str) -> None:
    publishing = {
        "tick": ["broadcasts"],
        "trigger": ["broadcasts"],
        "dashboard": ["broadcasts"],
        "fanout": ["messages"],
    }

    sources = [ROOT / path for path in modules(ROOT, ENTRIES / f"{function}.py")]
    calls = {
        ast.unparse(n.func) for s in sources for n in ast.walk(ast.parse(s.read_text())) if isinstance(n, ast.Call)
    }

    assert any(call.endswith("bus.publish") for call in calls) == bool(FUNCTIONS[function]["publishes"])
    assert FUNCTIONS[function]["publishes"] == publishing.get(function, [])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_deadlines_lie_in_order(function: str) -> None:
    declared = FUNCTIONS[function]

    if declared["consumes"]:
        assert HANDLER_SECONDS < declared["timeout_seconds"] < declared["consumes"]["ack_deadline_seconds"] <= 600
        assert 5 <= declared["consumes"]["max_delivery_attempts"] <= 100
    assert declared["concurrency"] == 1 or float(declared["cpu"]) >= 1
    assert declared["why"]


def test_sends_together_can_hold_ten_seconds_of_the_pace() -> None:
    send = FUNCTIONS["send"]

    assert send["instances"] * send["concurrency"] >= 25 * 10


def test_only_what_owners_call_is_public() -> None:
    assert {name for name, function in FUNCTIONS.items() if function["public"]} <= {"trigger", "dashboard"}
    assert not any(FUNCTIONS[name]["public"] for name in ("tick", "fanout", "send"))


def test_names_agree_with_the_code() -> None:
    assert f'prefix    = "{PREFIX.removesuffix("-")}"' in HCL["project.tf"]
    assert f"var.telegram_rate <= {HIGHEST_RATE:.0f}" in HCL["variables.tf"]


def test_no_account_has_a_basic_role_and_only_functions_have_the_records() -> None:
    roles = set(re.findall(r'"(roles/[a-zA-Z.]+)"', "".join(HCL.values())))

    assert roles == {
        "roles/artifactregistry.writer",
        "roles/cloudfunctions.developer",
        "roles/datastore.user",
        "roles/iam.serviceAccountUser",
        "roles/logging.logWriter",
        "roles/pubsub.publisher",
        "roles/pubsub.subscriber",
        "roles/run.invoker",
        "roles/secretmanager.secretAccessor",
        "roles/storage.objectAdmin",
        "roles/storage.objectViewer",
    }


def variables() -> dict[str, str]:
    """What is declared of each variable."""
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', HCL["variables.tf"], re.DOTALL | re.MULTILINE))


def test_every_variable_is_described_and_what_can_be_wrong_is_refused() -> None:
    for name, body in variables().items():
        assert re.search(r'description = "[^"]+"', body), f"{name} is not described"
        assert "validation {" in body or "type        = bool" in body, f"{name} takes anything"


def test_the_example_gives_every_variable_that_must_be_given_and_none_that_is_unknown() -> None:
    example = (TERRAFORM / "terraform.tfvars.example").read_text(encoding="utf-8")
    given = set(re.findall(r"^(\w+)\s+=", example, re.MULTILINE))
    mentioned = set(re.findall(r"^(?:# )?(\w+)\s+=", example, re.MULTILINE))

    assert {name for name, body in variables().items() if "default" not in body} <= given
    assert mentioned <= set(variables())


def test_what_is_left_as_checkov_found_it_has_a_reason() -> None:
    skips = re.findall(r"checkov:skip=(\w+):?(.*)", "".join(HCL.values()))

    assert {check for check, _ in skips} == {"CKV_GCP_62", "CKV_GCP_83", "CKV_GCP_124"}
    assert all(len(reason.split()) > 3 for _, reason in skips)


def test_no_secret_stands_in_terraform() -> None:
    assert "google_secret_manager_secret_version" not in "".join(HCL.values())
    assert not re.search(r"\d{6,}:[\w-]{30,}", "".join(HCL.values()))
