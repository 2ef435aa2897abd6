"""`make build`: one folder a function, each deployable alone.

build/<function>/main.py            the function's entry point with its engine on Google Cloud
build/<function>/functions, shared  what it needs of ours, and nothing else; templates and the like too
build/<function>/requirements.txt   what it needs of others, pinned with hashes, and nothing else
build/<function>/.python-version    the Python its bytecode is for
build/<function>.zip                the same folder as Cloud Run takes it
build/wheels/                       all those packages, for installing without a network

Built twice, the folders hold the same bytes.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import click

from infra.bundles.closure import NotVendorable, beside, modules, read_lock, requirements
from infra.bundles.hashes import read_hashes

ROOT = Path(__file__).parents[2]
ENTRIES = Path(__file__).parent / "entries"
FUNCTIONS = tuple(sorted(path.stem for path in ENTRIES.glob("*.py") if path.stem != "__init__"))


def build(function: str, target: Path) -> None:
    """Write one function's folder; what was there before goes. Raises NotVendorable."""
    entry = ENTRIES / f"{function}.py"
    ours = modules(ROOT, entry)
    files = [path for module in ours if module.name == "__init__.py" for path in beside(ROOT, module.parent)]
    lines = requirements([entry, *(ROOT / path for path in ours)], read_lock(ROOT / "requirements.txt"))
    shutil.rmtree(target, ignore_errors=True)
    for source, path in ((entry, Path("main.py")), *((ROOT / path, path) for path in (*ours, *files))):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / path)
    (target / "requirements.txt").write_text("".join(map(_with_hashes, lines)), encoding="utf-8")
    (target / ".python-version").write_text("{}.{}\n".format(*sys.version_info), encoding="utf-8")
    _compile(target)


def _with_hashes(line: str) -> str:
    hashes = read_hashes().get(line)
    if not hashes:
        raise NotVendorable(f"infra/bundles/hashes.json has no hash for {line}; run `make hashes`.")
    return " \\\n".join([line, *(f"    --hash=sha256:{one}" for one in hashes)]) + "\n"


def pack(folder: Path) -> Path:
    """The folder as a zip file beside it: sorted, and with the oldest time a zip can hold instead of now."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target


def fetch_wheels(folder: Path, files: Sequence[Path]) -> None:
    """Have a wheel of every package these requirements files name; raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [part for file in files for part in ("-r", str(file))]
    into = ["--find-links", str(folder), "--wheel-dir", str(folder)]
    quietly = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *quietly, *into, *named], check=True)


def _compile(folder: Path) -> None:
    """Bytecode beside each source, in a process of its own: what the compiler writes depends on nothing this one has done."""
    command = [sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "."]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)


@click.command()
@click.option("--into", type=click.Path(path_type=Path), default=ROOT / "build", help="Where the folders go.")
@click.option("--wheels/--no-wheels", default=True, help="Fetch the packages as well; needs a network the first time.")
def main(into: Path, wheels: bool) -> None:
    """Write a folder for each function, ready to deploy."""
    for function in FUNCTIONS:
        try:
            build(function, into / function)
        except NotVendorable as error:
            raise click.ClickException(str(error)) from None
        pack(into / function)
        ours = sum(1 for _ in (into / function).rglob("*.py"))
        packages = len(read_lock(into / function / "requirements.txt"))
        click.echo(f"{into / function}: {ours} files of ours, {packages} packages")
    if wheels:
        click.echo(f"Fetching wheels into {into / 'wheels'} …")
        fetch_wheels(into / "wheels", [into / function / "requirements.txt" for function in FUNCTIONS])


if __name__ == "__main__":
    main()
