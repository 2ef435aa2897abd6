"""Programs of the operating system that a test needs."""

import os
import shutil

import pytest

PACKAGES = {
    "gcloud": "https://cloud.google.com/sdk/docs/install",
    "nginx": "apt-get install nginx-light",
    "sqlite3": "apt-get install sqlite3",
    "promtool": "apt-get install prometheus",
    "systemd-analyze": "apt-get install systemd",
}


def need(program: str) -> str:
    """Its path. Without it the test is left out, with a word how to get it; on the CI machine that is a failure."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        sentence = f"{program} is not installed: {PACKAGES[program]}"
        assert not os.environ.get("CI"), sentence
        pytest.skip(sentence)
    return found
