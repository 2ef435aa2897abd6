"""cloudbuild.yaml against Cloud Build's schema, and against what the schema cannot see."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cloudbuild.yaml"
BUILD: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = BUILD["steps"]
IDS = [step["id"] for step in STEPS]
GIVEN_BY_CLOUD_BUILD = {"PROJECT_ID", "BUILD_ID", "PROJECT_NUMBER", "LOCATION", "COMMIT_SHA", "SHORT_SHA"}
FUNCTIONS = json.loads((ROOT / "infra" / "terraform" / "functions.json").read_text(encoding="utf-8"))


def test_it_is_what_cloud_build_takes() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_steps_have_names_of_their_own_and_wait_for_earlier_ones() -> None:
    assert len(set(IDS)) == len(IDS)
    for number, step in enumerate(STEPS):
        assert set(step.get("waitFor", [])) <= set(IDS[:number])


def test_every_substitution_is_known_and_used() -> None:
    text = re.sub(r"^\s*#.*$", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    used = set(re.findall(r"(?<!\$)\$\{?([A-Z_][A-Z0-9_]*)\}?", text))

    assert used - GIVEN_BY_CLOUD_BUILD == set(BUILD["substitutions"])


def test_a_substitution_inside_another_is_put_in_by_hand_as_by_a_trigger() -> None:
    """Triggers always do it, `gcloud builds submit` only where it is asked for (Cloud Build, "Substituting variable values")."""
    assert any("$" in value for value in BUILD["substitutions"].values())
    assert BUILD["options"]["dynamicSubstitutions"] is True


def test_its_account_can_read_the_sources_it_is_given() -> None:
    """The account has one bucket; by default the sources would be staged in another."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    submits = re.findall(r"gcloud builds submit [^`]*", readme)

    assert submits
    bucket = BUILD["substitutions"]["_BUCKET"].replace("${PROJECT_ID}", "PROJECT")
    assert all(f"--gcs-source-staging-dir=gs://{bucket}/" in submit for submit in submits)


def test_nothing_is_deployed_before_it_was_tested_vendored_and_uploaded() -> None:
    assert IDS[:3] == ["test", "vendor", "upload"]
    assert not any("waitFor" in step for step in STEPS[:3])
    assert all(step["waitFor"] == ["upload"] for step in STEPS[3:])


def test_every_function_is_deployed_beside_the_others() -> None:
    assert {step["args"][1] for step in STEPS[3:]} == set(FUNCTIONS)
    assert {step["id"] for step in STEPS[3:]} == {f"deploy-{name}" for name in FUNCTIONS}
    assert {tuple(step["env"]) for step in STEPS[3:]} == {tuple(STEPS[3]["env"])}


def test_it_builds_with_the_python_that_runs() -> None:
    assert BUILD["substitutions"]["_RUNTIME"] == f"python{BUILD['substitutions']['_PYTHON'].replace('.', '')}"
    variables = (ROOT / "infra" / "terraform" / "variables.tf").read_text(encoding="utf-8")
    assert f'default     = "{BUILD["substitutions"]["_RUNTIME"]}"' in variables


def test_only_make_targets_that_exist_are_called() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = [word for step in STEPS[:2] for word in step["args"][1].split()[1:]]

    assert called
    assert set(called) <= targets


@pytest.mark.parametrize("deploy", ["yes", "no"])
def test_a_function_is_deployed_or_said_to_be_left(tmp_path: Path, deploy: str) -> None:
    called = tmp_path / "called"
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(f'#!/bin/sh\necho "$@" > {called}\n')
    gcloud.chmod(0o755)

    done = subprocess.run(
        ["bash", str(ROOT / "infra" / "deploy.sh"), "tick"],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "DEPLOY": deploy,
            "RELEASE": "gs://b/r",
            "REGION": "x",
            "RUNTIME": "y",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert called.exists() == (deploy == "yes")
    if deploy == "yes":
        assert "deploy broadcast-manager-tick --gen2" in called.read_text()
        assert "--source=gs://b/r/tick.zip --entry-point=tick" in called.read_text()
    else:
        assert "Not deployed" in done.stdout
