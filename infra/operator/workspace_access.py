"""How commands reach the records: opened when first needed, closed at the end, and faults said in one sentence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click

from infra.embedded.event_queue import DeadLetter
from infra.operator.csv_table import FileError
from shared.bus import Bus, BusUnavailable
from shared.clock import Clock
from shared.runs import Policy
from shared.settings import GOOGLE_CLOUD_PROJECT, SettingError, Settings
from shared.store import Store, StoreError


class DeadLetters(Protocol):
    """Events that were put aside after too many failed deliveries. Nothing is lost by it: documents bring their work up again."""

    def dead_letters(self) -> list[DeadLetter]:
        """What was put aside, the oldest first."""

    def put_back(self, id: str) -> bool:
        """Deliver one again, as if it were new. False if there is none of this id."""


class Workspace(Protocol):
    """What a command needs of an engine."""

    @property
    def store(self) -> Store: ...

    @property
    def bus(self) -> Bus: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def describe(self) -> str:
        """Where the records lie, for people."""

    @property
    def jwt_secret(self) -> str: ...

    @property
    def service_running(self) -> bool: ...

    def close(self) -> None: ...


Opener = Callable[[], Workspace]


class Unusable(click.ClickException):
    """Raised for a setting, a file or an argument that cannot be used: exit code 2."""

    exit_code = 2


class Failed(click.ClickException):
    """Raised when the command was understood and could not be done: exit code 1."""

    exit_code = 1


@contextmanager
def opened(context: click.Context, *, writes: bool = False) -> Iterator[Workspace]:
    """The workspace of the settings in force, or the one handed in as the context's object.

    With `writes` it is said on stderr where, before the first write.
    """
    # Imported late: `--help` and a slip in the arguments should not wait for the engine.
    from infra.embedded.workspace import WorkspaceError

    open_one: Opener = context.obj or _open
    try:
        workspace = open_one()
    except (SettingError, WorkspaceError) as error:
        raise Unusable(str(error)) from None
    except StoreError as error:
        raise Failed(str(error)) from None
    try:
        if writes:
            click.echo(f"Writing to {workspace.describe}.", err=True)
        yield workspace
    except (SettingError, FileError) as error:
        raise Unusable(str(error)) from None
    except (StoreError, BusUnavailable) as error:
        raise Failed(str(error)) from None
    finally:
        workspace.close()


def _open() -> Workspace:
    """Google Cloud's records where the settings name a project, else those of DATA_DIR. Raises SettingError, WorkspaceError."""
    from infra.embedded.workspace import open_workspace, read_settings

    settings = read_settings()
    if not settings.given(GOOGLE_CLOUD_PROJECT):
        return open_workspace(settings)
    try:
        from infra.operator.cloud_workspace import open_cloud_workspace
    except ModuleNotFoundError as error:
        raise SettingError(
            f"GOOGLE_CLOUD_PROJECT is set, and {error.name} is not installed; install requirements.txt, or unset it."
        ) from None
    return open_cloud_workspace(settings)
