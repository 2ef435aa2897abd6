"""A real PostgreSQL with the original's tables, and the command on a store in memory."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.migration.throwaway_postgres import HOW_TO_GET_IT, binaries, throwaway_postgres
from tests.clocks import NOON
from tests.operator.conftest import Operator, operator  # noqa: F401 - a fixture

SQL = Path(__file__).parents[2] / "infra" / "migration"
OWNER = "8dcdf36a-dbde-52a4-a034-ed11820e0506"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """One server for all tests. Only where none is installed are they left out; one that does not start is a failure."""
    if binaries() is None and not os.environ.get("CI"):
        pytest.skip(HOW_TO_GET_IT)
    with throwaway_postgres() as url:
        yield url


class Original:
    """The original's database: empty tables, and short ways to fill them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        self._numbers = iter(range(1, 1000))

    def has_message_columns(self) -> None:
        self.connection.execute((SQL / "message_columns.sql").read_bytes())

    def pair(self, state: dict[str, Any] | None = None, *, stateless: bool = False, **changes: Any) -> int:
        """A pair and its state row; the open channel's id."""
        number = next(self._numbers)
        open_id = -1001000000000 - number
        texts = {
            "open_channel_id": str(open_id),
            "open_channel_title": f"Harbor {number}",
            "open_channel_description": 'Notes, from the "quay"',
            "closed_channel_id": str(-1002000000000 - number),
            "closed_channel_title": f"Harbor {number}+",
            "closed_channel_description": "",
            "closed_channel_donation_message": "Thank you, crew.",
            "sub_1_price": "5.00",
            "sub_1_time": 30,
            "client_wallet_address": "0x00",
            "client_payout_currency": "usdt",
            "client_id": OWNER,
            **changes,
        }
        self.insert("main_clients_database", texts)
        if not stateless:
            self.state(texts["open_channel_id"], texts["closed_channel_id"], **(state or {}))
        return open_id

    def state(self, open_id: str, closed_id: str, **changes: Any) -> None:
        channels = {"client_id": OWNER, "open_channel_id": open_id, "closed_channel_id": closed_id}
        past = {"next_send_time": NOON + timedelta(hours=3), "created_at": NOON - timedelta(days=9), "updated_at": NOON}
        self.insert("broadcast_manager", {**channels, **past, **changes})

    def insert(self, table: str, values: dict[str, Any]) -> None:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def set(self, table: str, open_id: int, **changes: Any) -> None:
        settings = ", ".join(f"{name} = %s" for name in changes)
        self.connection.execute(
            f"UPDATE {table} SET {settings} WHERE open_channel_id = %s",
            [*changes.values(), str(open_id)],
        )


@pytest.fixture
def original(server: str) -> Iterator[Original]:
    made = Original(server)
    made.connection.execute("DROP SCHEMA public CASCADE")
    made.connection.execute("CREATE SCHEMA public")
    made.connection.execute((SQL / "original.sql").read_bytes())
    made.connection.execute("INSERT INTO registered_users VALUES (%s)", [OWNER])
    yield made
    made.connection.close()
