"""CSV files for tests: one usable row, with the fields a test changes."""

import csv
import io
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
PAIRS_CSV = "main_clients_database.csv"
DEFECTS_CSV = "main_clients_database-defects.csv"
STATES_CSV = "broadcast_manager.csv"
OWNER = "8dcdf36a-dbde-52a4-a034-ed11820e0506"
OPEN, CLOSED = "-1001000000001", "-1002000000001"
STATE_ID = "384f41fa-a68e-4cdf-880a-395eaad18f15"

A_PAIR = {
    "open_channel_id": OPEN,
    "open_channel_title": "Harbor",
    "open_channel_description": "Notes from the quay",
    "closed_channel_id": CLOSED,
    "closed_channel_title": "Harbor+",
    "closed_channel_description": "The long reads",
    "closed_channel_donation_message": "Thank you, crew.",
    "sub_1_price": "5.00",
    "sub_1_time": "30",
    "sub_2_price": "",
    "sub_2_time": "",
    "sub_3_price": "",
    "sub_3_time": "",
    "notification_status": "f",
    "notification_id": "",
    "client_id": OWNER,
    "created_by": "tradewinds",
}
A_STATE = {
    "id": STATE_ID,
    "client_id": OWNER,
    "open_channel_id": OPEN,
    "closed_channel_id": CLOSED,
    "last_sent_time": "2026-05-31 12:00:00.1+00",
    "next_send_time": "2026-06-02 12:00:00.1+00",
    "broadcast_status": "completed",
    "last_manual_trigger_time": "",
    "manual_trigger_count": "1",
    "total_broadcasts": "4",
    "successful_broadcasts": "3",
    "failed_broadcasts": "1",
    "last_error_message": "",
    "last_error_time": "",
    "consecutive_failures": "0",
    "is_active": "t",
    "created_at": "2025-11-11 21:04:11.512+00",
    "updated_at": "2026-05-31 12:00:00.1+00",
}


def data(name: str) -> tuple[str, bytes]:
    """One of the files in `tests/data`, as the parser takes it."""
    return name, (DATA / name).read_bytes()


def numbered(number: int) -> dict[str, str]:
    """Channels of a pair of their own."""
    return {"open_channel_id": f"-1001{number:09}", "closed_channel_id": f"-1002{number:09}"}


def written(*rows: dict[str, str]) -> bytes:
    """The rows as a CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def pairs_csv(*changes: dict[str, str]) -> bytes:
    """A main_clients_database with one row for each of the changes."""
    return written(*({**A_PAIR, **change} for change in changes or ({},)))


def states_csv(*changes: dict[str, str]) -> bytes:
    """A broadcast_manager with one row for each of the changes."""
    return written(*({**A_STATE, **change} for change in changes or ({},)))
