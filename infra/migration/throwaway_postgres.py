"""A PostgreSQL of one's own for tests and rehearsals: in a temporary folder, on a Unix socket alone, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HOW_TO_GET_IT = "PostgreSQL's server is not installed; on Debian: apt-get install postgresql-15"


class NoPostgres(Exception):
    """Raised where no server can be started; the text says what to install."""


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest version's; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


@contextmanager
def throwaway_postgres() -> Iterator[str]:
    """The URL of a superuser's connection. Raises NoPostgres."""
    programs = binaries()
    if programs is None:
        raise NoPostgres(HOW_TO_GET_IT)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            # The server refuses to run as root.
            shutil.chown(folder, "nobody", pwd.getpwnam("nobody").pw_gid)
        _run([programs / "initdb", "-D", data, "-U", "operator", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=20"
        _run([programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], folder)
        try:
            yield f"postgresql://operator@/postgres?host={folder}"
        finally:
            _run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    root = os.geteuid() == 0
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        user="nobody" if root else None,
        group=pwd.getpwnam("nobody").pw_gid if root else None,
        extra_groups=[] if root else None,
    )
    if done.returncode != 0:
        log = folder / "log"
        words = done.stderr.strip() or (log.read_text() if log.exists() else "")
        raise NoPostgres(f"{Path(command[0]).name} failed: {words[-1000:]}")
