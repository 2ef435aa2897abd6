"""`make hashes`: what each pinned package's files must hash to, as PyPI publishes it; a bundle installs nothing else."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import requests

from infra.bundles.closure import read_lock

ROOT = Path(__file__).parents[2]
HASHES = Path(__file__).parent / "hashes.json"
INDEX = "https://pypi.org/simple"
JSON = "application/vnd.pypi.simple.v1+json"
SECONDS = 60


def read_hashes() -> Mapping[str, Sequence[str]]:
    """The SHA-256 of each `name==version`'s files."""
    found: Mapping[str, Sequence[str]] = json.loads(HASHES.read_text(encoding="utf-8"))
    return found


def _of(name: str, version: str) -> list[str]:
    """From the index's JSON (PEP 691). Raises RequestException."""
    answer = requests.get(f"{INDEX}/{name}/", headers={"Accept": JSON}, timeout=SECONDS)
    answer.raise_for_status()
    beginnings = tuple(f"{spelled}-{version}" for spelled in {name, name.replace("-", "_"), name.replace("-", ".")})
    files = [file for file in answer.json()["files"] if file["filename"].lower().startswith(beginnings)]
    ours = [file for file in files if file["filename"].lower().removeprefix(_beginning(file, beginnings))[0] in "-."]
    return sorted({file["hashes"]["sha256"] for file in ours if file["filename"].endswith((".whl", ".tar.gz"))})


def _beginning(file: Mapping[str, str], beginnings: Sequence[str]) -> str:
    return next(beginning for beginning in beginnings if file["filename"].lower().startswith(beginning))


@click.command()
def main() -> None:
    """Write the hashes of all packages in requirements.txt."""
    found = {}
    for name, version in read_lock(ROOT / "requirements.txt").items():
        hashes = _of(name, version)
        if not hashes:
            raise click.ClickException(f"{INDEX} has no file of {name} {version}")
        found[f"{name}=={version}"] = hashes
        click.echo(f"{name} {version}: {len(hashes)} files")
    HASHES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
