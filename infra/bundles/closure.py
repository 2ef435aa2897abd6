"""What a function consists of: every module of ours it imports, directly or not, and the packages those stand on."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import distribution, distributions
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = ("functions", "shared")
AT_RUN_TIME = {"zoneinfo": "tzdata"}
"""Packages that a module of the standard library looks for by itself."""
CODE = (".py", ".pyc")
ALWAYS = ("functions-framework",)
"""What serves a function."""


class NotVendorable(Exception):
    """Raised for an import that a bundle cannot carry; the text says which file and which module."""


def modules(root: Path, entry: Path) -> list[Path]:
    """The files of ours that this entry point needs, packages' `__init__.py` included, relative to the root and sorted."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        file = waiting.pop()
        for name in imported(file):
            if name.split(".")[0] not in OURS:
                continue
            new = {*_files(root, name)} - found
            found |= new
            waiting += [root / path for path in new]
    return sorted(found)


def beside(root: Path, package: Path) -> list[Path]:
    """The files of a package that are no code, such as templates, in it and in its folders that are no packages; sorted."""
    found = [path for path in (root / package).iterdir() if path.is_file() and path.suffix not in CODE]
    folders = [path for path in (root / package).iterdir() if path.is_dir() and not _holds_code(path)]
    found += [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(root) for path in found)


def imported(file: Path) -> Iterator[str]:
    """Full names of what a file imports, anywhere in it; `from a import b` gives `a.b`, whether b is a module or not."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def requirements(files: Iterable[Path], locked: Mapping[str, str]) -> list[str]:
    """Pinned lines for all packages these files need, those they stand on included. `locked` has each package's version.

    Raises NotVendorable.
    """
    needed: set[str] = {canonicalize_name(name) for name in ALWAYS}
    for file in files:
        for name in imported(file):
            needed |= _packages(file, name)
    names = sorted(_with_dependencies(needed))
    missing = [name for name in names if name not in locked]
    if missing:
        raise NotVendorable(f"requirements.txt does not pin {', '.join(missing)}; add them.")
    return [f"{name}=={locked[name]}" for name in names]


def read_lock(path: Path) -> Mapping[str, str]:
    """Each package's version in a requirements file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.removesuffix(" \\").split("==") for line in lines if line and not line.startswith(("#", " ")))
    return {canonicalize_name(name): version for name, version in pairs}


def _holds_code(folder: Path) -> bool:
    return any(path.suffix in CODE for path in folder.rglob("*"))


def _files(root: Path, name: str) -> Iterator[Path]:
    """The files that importing this name runs: each package on the way, and the module itself."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        path = Path(*parts[:depth])
        if (root / path / "__init__.py").exists():
            yield path / "__init__.py"
        elif (root / path.with_suffix(".py")).exists():
            yield path.with_suffix(".py")


def _packages(file: Path, name: str) -> set[str]:
    top = name.split(".")[0]
    if top in OURS:
        return set()
    if top in AT_RUN_TIME:
        return {AT_RUN_TIME[top]}
    origin = _origin(name)
    if origin is None:
        raise NotVendorable(f"{file} imports {name}, which is not installed here; run `make build` again.")
    package = _owners().get(origin)
    return set() if package is None else {package}


@cache
def _origin(name: str) -> str | None:
    """The file of the longest part of the name that is a module; None if not even the first is there."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        try:
            spec = find_spec(".".join(parts[:depth]))
        except (ModuleNotFoundError, AttributeError, ValueError):
            continue
        if spec is not None and spec.origin is not None:
            return spec.origin
    return None


@cache
def _owners() -> Mapping[str, str]:
    """Each installed file's package. What belongs to none is the standard library's."""
    return {
        str(dist.locate_file(file)): canonicalize_name(dist.name)
        for dist in distributions()
        for file in dist.files or ()
        if file.suffix in (".py", ".so")
    }


def _with_dependencies(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [(name, frozenset[str]()) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for line in distribution(name).requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found
