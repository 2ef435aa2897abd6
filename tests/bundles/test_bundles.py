"""What `make build` writes: each function alone, complete, lean and reproducible."""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.bundles.__main__ import FUNCTIONS, ROOT, build, fetch_wheels, pack
from infra.bundles.closure import NotVendorable, modules, read_lock, requirements
from infra.bundles.hashes import read_hashes
from infra.rehearsal.processes import FunctionProcess

WHEELS = ROOT / "build" / "wheels"
HEAVY = {"google.cloud.firestore", "google.pubsub_v1", "grpc", "requests", "jwt", "cryptography", "zoneinfo"}
"""Modules that cost tens of milliseconds or megabytes to import; which function may load which."""
ALWAYS = {"google.cloud.firestore", "grpc", "zoneinfo"}
MAY_LOAD = {
    "tick": ALWAYS | {"google.pubsub_v1"},
    "fanout": ALWAYS | {"google.pubsub_v1"},
    "send": ALWAYS | {"requests"},
    "trigger": ALWAYS | {"google.pubsub_v1", "requests", "jwt"},
    "dashboard": ALWAYS | {"google.pubsub_v1", "requests", "jwt"},
}
NOT_OURS_TO_AVOID = {"requests", "cryptography"}
"""google-api-core imports requests, and google-auth and PyJWT import cryptography where it is installed."""
SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "test",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
    "BOT_TOKEN": "123456789:AAE-known-token-of-the-tests-0123456789",
    "BOT_USERNAME": "test_shop_bot",
    "JWT_SECRET_KEY": "a-secret-of-the-website-that-is-long-enough",
}
LOADED = "import json, sys, main; print(json.dumps(sorted(sys.modules)))"


def contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_function_has_a_bundle() -> None:
    assert set(FUNCTIONS) == {path.parent.name for path in (ROOT / "functions").glob("*/main.py")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bundle_holds_its_own_function_and_no_other(function: str, tmp_path: Path) -> None:
    build(function, tmp_path / function)

    names = set(contents(tmp_path / function))
    assert {"main.py", "requirements.txt", ".python-version", f"functions/{function}/main.py"} <= names
    assert {name.split("/")[1] for name in names if name.startswith("functions/") and name.count("/") > 1} <= {
        function,
        "__pycache__",
    }
    assert not [name for name in names if name.startswith(("infra", "tests"))]


def test_what_is_no_code_comes_along_with_the_package_it_lies_in(tmp_path: Path) -> None:
    build("dashboard", tmp_path / "dashboard")
    build("trigger", tmp_path / "trigger")

    names, others = set(contents(tmp_path / "dashboard")), set(contents(tmp_path / "trigger"))
    source = ROOT / "functions" / "dashboard"
    expected = {str(path.relative_to(ROOT)) for kind in ("templates", "static") for path in (source / kind).iterdir()}
    assert expected
    assert {name for name in names if name.startswith("functions/") and not name.endswith((".py", ".pyc"))} == expected
    assert not {name for name in others if name.startswith("functions/") and not name.endswith((".py", ".pyc"))}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_built_twice_a_bundle_has_the_same_bytes(function: str, tmp_path: Path) -> None:
    build(function, tmp_path / "one")
    build(function, tmp_path / "two")

    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    sources = {name for name in one if name.endswith(".py")}
    assert len([name for name in one if name.endswith(".pyc")]) == len(sources)
    assert pack(tmp_path / "one").read_bytes() == pack(tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == one


def test_every_pinned_package_has_hashes_and_nothing_else_has() -> None:
    lock = read_lock(ROOT / "requirements.txt")

    assert set(read_hashes()) == {f"{name}=={version}" for name, version in lock.items()}
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for hashes in read_hashes().values() for one in hashes)
    assert all(read_hashes().values())


def test_a_bundle_installs_nothing_whose_hash_is_not_known(tmp_path: Path) -> None:
    build("send", tmp_path)

    text = (tmp_path / "requirements.txt").read_text()

    assert text.count("==") == len(read_lock(tmp_path / "requirements.txt"))
    assert all("--hash=sha256:" in part for part in re.split(r"\n(?=\S)", text.strip()))


def test_what_a_build_left_before_goes(tmp_path: Path) -> None:
    (tmp_path / "tick").mkdir()
    (tmp_path / "tick" / "old.py").write_text("")

    build("tick", tmp_path / "tick")

    assert not (tmp_path / "tick" / "old.py").exists()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bundle_loads_the_heavy_modules_it_uses_and_no_others(function: str, tmp_path: Path) -> None:
    build(function, tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), **SETTINGS},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(json.loads(found.stdout.splitlines()[-1]))

    assert (loaded & HEAVY) - NOT_OURS_TO_AVOID == MAY_LOAD[function] - NOT_OURS_TO_AVOID
    assert not [name for name in loaded if name.split(".")[0] in ("infra", "tests")]


@pytest.mark.parametrize(
    ("function", "without"),
    [
        ("fanout", "BOT_USERNAME"),
        ("send", "BOT_TOKEN"),
        ("trigger", "JWT_SECRET_KEY"),
        ("dashboard", "JWT_SECRET_KEY"),
        ("tick", "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_an_instance_refuses_to_start_without_what_its_function_needs(
    function: str, without: str, tmp_path: Path
) -> None:
    done = start(function, tmp_path, {name: value for name, value in SETTINGS.items() if name != without})

    assert done.returncode != 0
    assert f"{without} is not set" in done.stderr


def test_an_instance_refuses_a_pace_that_firestore_cannot_record(tmp_path: Path) -> None:
    done = start("tick", tmp_path, {**SETTINGS, "TELEGRAM_RATE": "151"})

    assert done.returncode != 0
    assert "TELEGRAM_RATE: 151 messages a second are more than Firestore can record" in done.stderr


def test_an_instance_says_that_telegram_will_not_take_its_rate_and_starts(tmp_path: Path) -> None:
    done = start("tick", tmp_path, {**SETTINGS, "TELEGRAM_RATE": "31"})

    assert "Telegram takes about 30 from a bot" in done.stdout + done.stderr


def test_a_secret_comes_from_a_mounted_file(tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "token"
    secret.parent.mkdir()
    secret.write_text(SETTINGS["BOT_TOKEN"] + "\n")
    given = {name: value for name, value in SETTINGS.items() if name != "BOT_TOKEN"}

    done = start("send", tmp_path / "send", {**given, "BOT_TOKEN_FILE": str(secret)})

    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_given_is_asked_of_telegram_and_no_answer_is_a_sentence(tmp_path: Path) -> None:
    given = {**SETTINGS, "BOT_USERNAME": "", "TELEGRAM_API_URL": "http://127.0.0.1:1"}

    done = start("send", tmp_path, given)

    assert done.returncode != 0
    assert "BOT_USERNAME is not set, and Telegram does not say the bot's name" in done.stderr
    assert SETTINGS["BOT_TOKEN"] not in done.stderr + done.stdout


def start(function: str, folder: Path, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    build(function, folder)
    return subprocess.run(
        [sys.executable, "-c", "import main"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


# --- the closure ------------------------------------------------------------------------------------------------------


def test_modules_are_followed_through_all_their_imports(tmp_path: Path) -> None:
    for name, text in {
        "shared/__init__.py": "",
        "shared/a.py": "def f():\n    from shared import b\n",
        "shared/b.py": "import shared.c\n",
        "shared/c.py": "",
        "shared/unused.py": "",
        "entry.py": "from shared.a import f\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    found = modules(tmp_path, tmp_path / "entry.py")

    assert [str(path) for path in found] == ["shared/__init__.py", "shared/a.py", "shared/b.py", "shared/c.py"]


def test_a_package_brings_what_it_stands_on_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "entry.py"
    file.write_text("import os\nfrom zoneinfo import ZoneInfo\nimport requests\n")

    lines = requirements([file], read_lock(ROOT / "requirements.txt"))

    names = {line.split("==")[0] for line in lines}
    assert {"requests", "urllib3", "certifi", "tzdata", "functions-framework", "flask"} <= names
    assert not names & {"grpcio", "google-cloud-firestore", "pyjwt", "msgspec"}


def test_a_package_that_is_not_pinned_or_not_there_is_said(tmp_path: Path) -> None:
    file = tmp_path / "entry.py"
    lock = read_lock(ROOT / "requirements.txt")

    file.write_text("import hypothesis\n")
    with pytest.raises(NotVendorable, match=r"requirements\.txt does not pin .*hypothesis"):
        requirements([file], lock)
    file.write_text("import nowhere_to_be_found\n")
    with pytest.raises(NotVendorable, match="nowhere_to_be_found, which is not installed"):
        requirements([file], lock)


# --- alone ------------------------------------------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.xdist_group("bundles")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bundle_installs_offline_in_a_clean_venv_and_is_served_from_there(function: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    build(function, bundle)
    if not WHEELS.exists():
        fetch_wheels(WHEELS, [bundle / "requirements.txt"])
    fetched = [*read_lock(bundle / "requirements.txt")]
    if len(list(WHEELS.glob("*.whl"))) < len(fetched):
        fetch_wheels(WHEELS, [bundle / "requirements.txt"])
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    offline = ["--no-index", "--find-links", str(WHEELS), "--quiet", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", "install", *offline, "-r", bundle / "requirements.txt"], check=True)

    with FunctionProcess(function, bundle, SETTINGS, log=tmp_path / "log", python=python) as process:
        status = process.ping()

    assert status < 500
