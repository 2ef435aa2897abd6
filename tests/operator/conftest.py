"""The command on a store in memory."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra.operator.cli import main
from shared.events import Event
from shared.pair import Pair
from shared.runs import Policy
from shared.settings import Settings
from shared.store import PAIRS
from tests.clocks import ManualClock
from tests.memory.queue import MemoryQueue
from tests.memory.store import MemoryStore

SECRET = "a secret of the tests that is long enough"


@dataclass
class MemoryBus:
    """Keeps what was published."""

    published: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        self.published += events


@dataclass
class MemoryWorkspace:
    """A workspace that no file is behind."""

    clock: ManualClock
    store: MemoryStore
    queue: MemoryQueue
    bus: MemoryBus = field(default_factory=MemoryBus)
    settings: Settings = field(default_factory=lambda: Settings({}))
    policy: Policy = Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))  # noqa: RUF009 - frozen
    describe: str = "memory"
    jwt_secret: str = SECRET
    service_running: bool = True
    closed: bool = False

    @property
    def dead_letters(self) -> MemoryQueue:
        return self.queue

    def close(self) -> None:
        self.closed = True


@dataclass
class Operator:
    """Someone at a terminal, in a folder of their own."""

    workspace: MemoryWorkspace
    folder: Path
    open: Callable[[], Any]

    def run(self, *arguments: str, status: int = 0, input: bytes | None = None) -> Result:
        """Run broadcastctl with these arguments and expect this exit code."""
        result = CliRunner().invoke(main, arguments, obj=self.open, input=input)
        assert result.exit_code == status, result.output
        return result

    def json(self, *arguments: str, status: int = 0) -> Any:
        """The one document the command prints."""
        return json.loads(self.run(*arguments, "--json", status=status).stdout)

    def file(self, name: str, content: bytes) -> str:
        """A file for the command to read."""
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def keep(self, *pairs: Pair) -> None:
        """Put these pairs into the store."""
        for pair in pairs:
            self.workspace.store.create(PAIRS, pair.id, pair)

    def stored(self, pair: Pair) -> Pair:
        """The pair as it is in the store now."""
        stored = self.workspace.store.get(PAIRS, pair.id)
        assert stored is not None
        return stored.record


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    clock = ManualClock()
    workspace = MemoryWorkspace(clock=clock, store=MemoryStore(clock), queue=MemoryQueue(clock))
    return Operator(workspace, tmp_path, lambda: workspace)
