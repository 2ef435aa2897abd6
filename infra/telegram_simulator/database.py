"""Keeping the simulated Telegram on disk, so that a killed process loses nothing that was "in Telegram"."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from infra.telegram_simulator.channels import Channel
from infra.telegram_simulator.record import Message

_VERSION = 1
_encode = msgspec.json.Encoder().encode


class Database:
    """Channels and messages as JSON in SQLite. Each method has committed when it returns.

    WAL with synchronous=NORMAL: survives the death of the process, not the loss of power. Not thread-safe.
    ValueError if the file was written by a newer simulator.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            self._connection.close()
            raise ValueError(f"{path} was written by a newer simulator (version {version}; this one reads {_VERSION})")
        self._connection.executescript(
            f"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            PRAGMA user_version = {_VERSION};
            CREATE TABLE IF NOT EXISTS channels (chat_id INTEGER PRIMARY KEY, data BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS messages (
                chat_id INTEGER, message_id INTEGER, data BLOB NOT NULL, PRIMARY KEY (chat_id, message_id)
            ) WITHOUT ROWID;
            """
        )

    def channels(self) -> Iterator[Channel]:
        """Every stored channel."""
        decoder = msgspec.json.Decoder(Channel)
        for (data,) in self._connection.execute("SELECT data FROM channels"):
            yield decoder.decode(data)

    def messages(self) -> list[Message]:
        """Every stored message, in the order in which the chats were last active."""
        decoder = msgspec.json.Decoder(Message)
        rows = self._connection.execute("SELECT data FROM messages ORDER BY chat_id, message_id")
        return sorted((decoder.decode(data) for (data,) in rows), key=lambda message: message.sent_at)

    def save_channels(self, channels: Iterable[Channel]) -> None:
        """Store new or changed channels, all or none."""
        rows = [(channel.chat_id, _encode(channel)) for channel in channels]
        self._save("INSERT OR REPLACE INTO channels VALUES (?, ?)", rows)

    def save_messages(self, messages: Iterable[Message]) -> None:
        """Store new or changed messages, all or none."""
        rows = [(message.chat_id, message.message_id, _encode(message)) for message in messages]
        self._save("INSERT OR REPLACE INTO messages VALUES (?, ?, ?)", rows)

    def forget(self, channels: bool) -> None:
        """Delete all messages, and the channels if asked."""
        self._connection.executescript(
            "BEGIN; DELETE FROM messages;" + ("DELETE FROM channels;" if channels else "") + "COMMIT;"
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _save(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if len(rows) == 1:
            self._connection.execute(statement, rows[0])
        elif rows:
            with self._connection:
                self._connection.execute("BEGIN")
                self._connection.executemany(statement, rows)
