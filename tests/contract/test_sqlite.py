"""What the store on SQLite promises beyond the contract: several processes, reopening, locks, indexes, expiry."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import permutations
from pathlib import Path
from threading import Barrier, get_ident
from typing import Any
from uuid import uuid4

import pytest

from infra.benchmark.waiting import wait_until
from infra.embedded import database as database_module
from infra.embedded import sqlite_store
from infra.embedded.database import Database
from infra.embedded.sqlite_store import SqliteStore
from shared.decision import Decision
from shared.pair import Pair, replace
from shared.runs import Claimed, NothingToPublish, claim, history_entry
from shared.store import HISTORY, PAIRS, AlreadyExists, Changed, Stored, StoreUnavailable, archive, update
from tests.clocks import NOON, ManualClock
from tests.pairs import OWNER, a_pair
from tests.runs import OPEN, POLICY, at, claimed, failed, sent, started


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = Database(file)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> SqliteStore:
    return SqliteStore(database, ManualClock())


@pytest.fixture
def other(file: Path, store: SqliteStore) -> Iterator[SqliteStore]:
    """Another process on the same file."""
    del store
    opened = Database(file)
    yield SqliteStore(opened, ManualClock())
    opened.close()


def read(store: SqliteStore, pair: Pair) -> Stored[Pair]:
    stored = store.get(PAIRS, pair.id)
    assert stored is not None
    return stored


# --- several processes ------------------------------------------------------------------------------------------------


def test_a_process_sees_what_another_wrote(store: SqliteStore, other: SqliteStore) -> None:
    pair = a_pair()
    store.create(PAIRS, pair.id, pair)
    other.replace(PAIRS, read(other, pair), replace(pair, open_channel_title="From the other"))

    assert read(store, pair).record.open_channel_title == "From the other"


def test_a_process_does_not_write_over_what_another_wrote(store: SqliteStore, other: SqliteStore) -> None:
    pair = a_pair()
    store.create(PAIRS, pair.id, pair)
    seen = read(store, pair)
    other.replace(PAIRS, read(other, pair), replace(pair, open_channel_title="From the other"))

    with pytest.raises(Changed):
        store.replace(PAIRS, seen, pair)
    with pytest.raises(AlreadyExists):
        store.create(PAIRS, pair.id, pair)


def test_of_two_processes_that_claim_a_pair_at_once_exactly_one_does(store: SqliteStore, other: SqliteStore) -> None:
    barrier = Barrier(2, timeout=10)

    def claim_in(process: SqliteStore, pair: Pair, run_id: str) -> Claimed | NothingToPublish:
        barrier.wait()
        rule = partial(claim, run_id=run_id, policy=POLICY)
        return update(process, PAIRS, pair.id, lambda p, now: rule(p, now=now))[1]

    with ThreadPoolExecutor(2) as threads:
        for number in range(10):
            pair = a_pair(number)
            store.create(PAIRS, pair.id, pair)
            results = list(threads.map(claim_in, (store, other), (pair, pair), ("run-1", "run-2")))

            assert sorted(type(r).__name__ for r in results) == ["Claimed", "NothingToPublish"]


def test_no_update_of_two_processes_is_lost(store: SqliteStore, other: SqliteStore) -> None:
    pair = a_pair()
    store.create(PAIRS, pair.id, pair)

    def press(process: SqliteStore) -> None:
        update(
            process,
            PAIRS,
            pair.id,
            lambda p, _: Decision(replace(p, manual_trigger_count=p.manual_trigger_count + 1), None),
        )

    with ThreadPoolExecutor(2) as threads:
        for _ in range(20):
            list(threads.map(press, (store, other)))

    assert read(store, pair).record.manual_trigger_count == 40


# --- the file ---------------------------------------------------------------------------------------------------------


def test_records_are_there_after_the_file_is_opened_again(file: Path) -> None:
    pair = claimed(a_pair(open_channel_title="港 ⚓️"))
    with closing(Database(file)) as database:
        SqliteStore(database, ManualClock()).create(PAIRS, pair.id, pair)

    with closing(Database(file)) as database:
        store = SqliteStore(database, ManualClock())
        assert read(store, pair).record == pair
        assert store.count_running() == 1


def test_records_are_there_though_the_process_died_without_closing_the_file(file: Path) -> None:
    pair = a_pair()
    with closing(Database(file)) as died:
        SqliteStore(died, ManualClock()).create(PAIRS, pair.id, pair)
        copy = file.with_name("as-it-lay.db")
        for suffix in ("", "-wal"):
            Path(f"{copy}{suffix}").write_bytes(Path(f"{file}{suffix}").read_bytes())

    with closing(Database(copy)) as database:
        assert read(SqliteStore(database, ManualClock()), pair).record == pair


@pytest.mark.parametrize(
    "operation",
    [
        lambda store: store.create(PAIRS, "new", a_pair(2)),
        lambda store: store.replace(PAIRS, Stored(a_pair().id, a_pair(), 1, NOON), a_pair()),
        lambda store: store.delete_expired(NOON),
    ],
    ids=["create", "replace", "delete expired"],
)
def test_a_write_to_a_locked_file_is_unavailable_and_goes_through_once_it_is_free(
    file: Path, monkeypatch: pytest.MonkeyPatch, operation: Callable[[SqliteStore], object]
) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.02)
    with closing(Database(file)) as database, closing(sqlite3.connect(file, isolation_level=None)) as holder:
        store = SqliteStore(database, ManualClock())
        store.create(PAIRS, a_pair().id, a_pair())
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreUnavailable, match=r"records\.db does not answer: database is locked"):
            operation(store)

        holder.execute("ROLLBACK")
        operation(store)


def test_a_locked_file_can_still_be_read(store: SqliteStore, file: Path) -> None:
    pair = a_pair()
    store.create(PAIRS, pair.id, pair)
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        assert read(store, pair).record == pair
        assert [s.id for s in store.due_pairs(NOON, 10)] == [pair.id]


def test_a_transaction_is_applied_whole_or_not_at_all(database: Database) -> None:
    database.execute("CREATE TABLE notes (word TEXT)")

    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES ('half')").fetchall()[1 // 0]
    with database.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES ('whole')")

    assert database.rows("SELECT word FROM notes") == [("whole",)]


def test_a_transaction_that_cannot_be_committed_leaves_the_way_free_for_the_next(database: Database) -> None:
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE notes (word TEXT REFERENCES words DEFERRABLE INITIALLY DEFERRED)")

    with pytest.raises(sqlite3.IntegrityError), database.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES ('nowhere')")
    with database.transaction() as connection:
        connection.execute("INSERT INTO words VALUES ('next')")

    assert database.rows("SELECT count(*) FROM notes") == [(0,)]


def test_a_file_that_is_full_is_unavailable_and_works_again_once_there_is_room(
    database: Database, store: SqliteStore
) -> None:
    pages = database.rows("PRAGMA page_count")[0][0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    large = a_pair(open_channel_description="x" * 50_000)

    with pytest.raises(StoreUnavailable, match="full"):
        store.create(PAIRS, large.id, large)
    database.execute("PRAGMA max_page_count = 100000")
    store.create(PAIRS, large.id, large)

    assert read(store, large).record == large


def test_a_file_made_before_refusals_were_counted_gets_the_fields_it_lacks(file: Path) -> None:
    pair = failed(claimed(a_pair()), NOON)
    with closing(sqlite3.connect(file)) as older:
        older.execute(
            "CREATE TABLE pairs (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
            " wake_at REAL, running INTEGER NOT NULL, client_id TEXT NOT NULL, expire_at REAL) WITHOUT ROWID"
        )
        older.execute(
            "INSERT INTO pairs VALUES (?, 1, ?, ?, 0, ?, NULL)",
            (pair.id, PAIRS.encode(pair), NOON.timestamp(), pair.client_id),
        )
        older.commit()

    for _ in range(2):
        opened = Database(file)
        store = SqliteStore(opened, ManualClock())
        assert read(store, pair).record.refused_at == NOON
        assert (store.count_attempted(at(seconds=-1)), store.count_refused(at(seconds=-1))) == (1, 1)
        opened.close()


def test_a_file_made_before_channels_had_columns_finds_its_pairs_by_them(file: Path) -> None:
    pair, broken = a_pair(), a_pair(2)
    with closing(sqlite3.connect(file)) as older:
        older.execute(
            "CREATE TABLE pairs (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
            " wake_at REAL, running INTEGER NOT NULL, client_id TEXT NOT NULL, expire_at REAL) WITHOUT ROWID"
        )
        older.execute(
            "CREATE INDEX pairs_open_channel_id ON pairs"
            " (CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.open_channel_id') END)"
        )
        for record, body in ((pair, PAIRS.encode(pair)), (broken, b"no JSON")):
            row = (record.id, body, NOON.timestamp(), record.client_id)
            older.execute("INSERT INTO pairs VALUES (?, 1, ?, ?, 0, ?, NULL)", row)
        older.commit()
    opened = Database(file)
    store = SqliteStore(opened, ManualClock())

    for channel in (pair.open_channel_id, pair.closed_channel_id):
        assert [found.record for found in store.pairs_of_channel(channel)] == [pair]
    assert any("pairs_open_channel_id" in step for step in plan(opened, lambda: store.pairs_of_channel(1)))
    opened.close()


def test_two_processes_may_bring_an_older_file_up_to_date_at_once(file: Path) -> None:
    with closing(sqlite3.connect(file)) as older:
        older.execute(
            "CREATE TABLE pairs (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
            " wake_at REAL, running INTEGER NOT NULL, client_id TEXT NOT NULL, expire_at REAL) WITHOUT ROWID"
        )
        older.commit()
    barrier = Barrier(4, timeout=10)

    def open_it(number: int) -> int:
        opened = Database(file)
        barrier.wait()
        store = SqliteStore(opened, ManualClock())
        store.create(PAIRS, a_pair(number).id, a_pair(number))
        count = store.count_refused(NOON)
        opened.close()
        return count

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(open_it, range(4))) == [0] * 4


def some_states() -> list[Pair]:
    """Each column has a value in one that it lacks in another."""
    plain = a_pair()
    ended = replace(failed(claimed(plain), NOON), client_id=str(uuid4()), expire_at=at(days=30))
    return [
        plain,
        claimed(plain),
        started(claimed(plain), OPEN),
        replace(ended, open_channel_id=-1007, closed_channel_id=-1008),
    ]


@pytest.mark.parametrize(("before", "after"), list(permutations(range(4), 2)))
def test_every_column_follows_its_record(database: Database, store: SqliteStore, before: int, after: int) -> None:
    states = some_states()
    store.create(PAIRS, "changed", states[before])
    store.create(PAIRS, "made so", states[after])

    stored = store.get(PAIRS, "changed")
    assert stored is not None
    store.replace(PAIRS, stored, states[after])

    rows = database.rows("SELECT * FROM pairs ORDER BY id")
    assert rows[0][2:] == rows[1][2:]


def test_those_states_differ_in_every_column(database: Database, store: SqliteStore) -> None:
    for number, pair in enumerate(some_states()):
        store.create(PAIRS, str(number), pair)

    columns = list(zip(*database.rows("SELECT * FROM pairs"), strict=True))[3:]

    assert len(columns) == 8
    assert all(len(set(values)) > 1 for values in columns)


def test_a_file_whose_columns_were_derived_otherwise_is_filled_anew_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = a_pair()
    opened = Database(file)
    SqliteStore(opened, ManualClock()).create(PAIRS, pair.id, pair)
    opened.execute("UPDATE pairs SET wake_at = NULL, open_channel_id = NULL")
    found = []
    for version in (sqlite_store.COLUMNS, sqlite_store.COLUMNS + 1):
        monkeypatch.setattr(sqlite_store, "COLUMNS", version)
        store = SqliteStore(opened, ManualClock())
        found.append((store.count_due(NOON), len(store.pairs_of_channel(pair.open_channel_id))))
    opened.close()

    assert found == [(0, 0), (1, 1)]


# --- queries ----------------------------------------------------------------------------------------------------------


def plan(database: Database, query: Callable[[], object]) -> list[str]:
    """How SQLite goes about the queries that this call makes."""
    statements: list[str] = []
    connection = database._connection
    connection.set_trace_callback(statements.append)
    query()
    connection.set_trace_callback(None)
    return [row[3] for s in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {s}")]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lambda store: store.due_pairs(NOON, 12), "pairs_due"),
        (lambda store: store.count_running(), "pairs_running"),
        (lambda store: store.count_due(NOON), "pairs_due"),
        (lambda store: store.running_pairs(), "pairs_running"),
        (lambda store: store.count_attempted(NOON), "pairs_attempted_at"),
        (lambda store: store.count_refused(NOON), "pairs_refused_at"),
        (lambda store: store.pairs_of_client(OWNER), "pairs_of_client"),
        (lambda store: store.pairs_of_channel(a_pair().open_channel_id), "pairs_open_channel_id"),
        (lambda store: store.pairs_of_channel(a_pair().open_channel_id), "pairs_closed_channel_id"),
        (lambda store: store.history(a_pair().id, before=NOON, limit=20), "history_of_pair"),
        (lambda store: store.history(a_pair().id, before=None, limit=20), "history_of_pair"),
    ],
)
def test_a_query_looks_only_at_what_it_answers(
    database: Database, store: SqliteStore, query: Callable[[SqliteStore], Any], index: str
) -> None:
    steps = plan(database, lambda: query(store))

    assert any(f" {index} " in f"{step} " for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


def test_every_pair_is_read_in_the_order_it_is_kept(database: Database, store: SqliteStore) -> None:
    assert plan(database, lambda: list(store.all_pairs())) == [
        "SEARCH pairs USING INDEX sqlite_autoindex_pairs_1 (id>?)"
    ]


def test_running_pairs_are_those_with_a_run_on(store: SqliteStore) -> None:
    running = [claimed(a_pair(1)), started(claimed(a_pair(2)), OPEN)]
    for pair in (*running, sent(claimed(a_pair(3))), a_pair(4)):
        store.create(PAIRS, pair.id, pair)

    assert sorted(s.id for s in store.running_pairs()) == sorted(pair.id for pair in running)


def test_what_is_past_its_time_is_deleted_and_nothing_else(store: SqliteStore) -> None:
    over, just_over = a_pair(1, expire_at=at(seconds=-1)), a_pair(2, expire_at=NOON)
    later, alive = a_pair(3, expire_at=at(seconds=1)), a_pair(4)
    for pair in (over, just_over, later, alive):
        store.create(PAIRS, pair.id, pair)
    run = sent(claimed(a_pair())).last_broadcast
    assert run is not None
    for run_id, expire_at in (("old", at(seconds=-1)), ("recent", at(days=399))):
        archive(store, replace(history_entry(alive.id, replace(run, run_id=run_id)), expire_at=expire_at))

    deleted = store.delete_expired(NOON)

    assert deleted == 3
    assert {s.id for s in store.all_pairs()} == {later.id, alive.id}
    assert (store.get(HISTORY, "old"), store.get(HISTORY, "recent") is None) == (None, False)


# --- writes that wait for one another ---------------------------------------------------------------------------------

PATIENCE = 10.0


@pytest.fixture
def words(database: Database) -> Database:
    database.execute("CREATE TABLE words (word TEXT PRIMARY KEY, number INTEGER)")
    return database


@contextmanager
def held_up(
    database: Database, statements: Sequence[tuple[str, Sequence[Any]]], *, then: Callable[[], None] = lambda: None
) -> Iterator[list[Future[int]]]:
    """These statements come, each in a thread of its own and in this order, while a transaction is on; it ends with the block."""
    with ThreadPoolExecutor(len(statements)) as threads, database._lock:
        with database.transaction():
            writes: list[Future[int]] = []
            for statement, parameters in statements:
                writes.append(threads.submit(database.execute, statement, parameters))
                wait_until(lambda: len(database._waiting) == len(writes), PATIENCE, lambda: "a write does not wait")
            yield writes
        then()


def test_writes_that_wait_are_committed_together_and_each_is_told_its_own_result(words: Database) -> None:
    insert: tuple[str, Sequence[Any]] = ("INSERT INTO words VALUES ('a', 1), ('b', 2)", ())
    add: tuple[str, Sequence[Any]] = ("UPDATE words SET number = number + ? WHERE word = 'b'", (10,))
    none: tuple[str, Sequence[Any]] = ("DELETE FROM words WHERE word = 'c'", ())
    with held_up(words, [insert, add, none]) as writes:
        run: list[str] = []
        words._connection.set_trace_callback(run.append)

    assert [write.result() for write in writes] == [2, 1, 0]
    assert [statement.split()[0] for statement in run] == ["COMMIT", "BEGIN", "INSERT", "UPDATE", "DELETE", "COMMIT"]


@pytest.mark.parametrize(
    ("statement", "parameters", "error"),
    [
        ("INSERT INTO words VALUES ('a', 2)", (), sqlite3.IntegrityError),
        ("INSERT INTO words VALUES (?, ?)", ("c",), sqlite3.ProgrammingError),
        ("INSERT INTO words VALUES (?, ?)", ("c", 2**63), OverflowError),
    ],
)
def test_a_write_that_cannot_be_done_takes_none_with_it_that_waited_beside_it(
    words: Database, statement: str, parameters: Sequence[Any], error: type[Exception]
) -> None:
    first: tuple[str, Sequence[Any]] = ("INSERT INTO words VALUES ('a', 1)", ())
    last: tuple[str, Sequence[Any]] = ("INSERT INTO words VALUES ('b', 1)", ())
    with held_up(words, [first, (statement, parameters), last]) as writes:
        pass

    assert [type(write.exception()) for write in writes] == [type(None), error, type(None)]
    assert words.rows("SELECT * FROM words") == [("a", 1), ("b", 1)]


def test_when_the_file_fails_under_writes_that_wait_none_is_applied_and_each_is_told(words: Database) -> None:
    pages = words.rows("PRAGMA page_count")[0][0]
    words.execute(f"PRAGMA max_page_count = {pages}")
    insert = "INSERT INTO words VALUES (?, 1)"
    with held_up(words, [(insert, ("a",)), (insert, ("x" * 50_000,)), (insert, ("b",))]) as writes:
        pass
    words.execute("PRAGMA max_page_count = 100000")

    assert [str(write.exception()).rpartition(": ")[2] for write in writes] == ["database or disk is full."] * 3
    assert all(isinstance(write.exception(), StoreUnavailable) for write in writes)
    assert words.rows("SELECT * FROM words") == []
    assert words.execute(insert, ("a",)) == 1


def test_an_interrupted_thread_takes_no_other_threads_write_with_it(
    words: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, run = "INSERT INTO words VALUES (?, 1)", database_module._Write.run
    interrupted: list[int] = []

    def run_until_interrupted(write: Any, connection: sqlite3.Connection) -> None:
        if write.parameters == ("b",) and not interrupted:
            interrupted.append(get_ident())
            raise KeyboardInterrupt
        run(write, connection)

    monkeypatch.setattr(database_module._Write, "run", run_until_interrupted)
    with held_up(words, [(insert, (word,)) for word in "abc"]) as writes:
        pass

    told = dict(zip("abc", [write.exception() for write in writes], strict=True))
    assert sorted(type(error).__name__ for error in told.values()) == ["KeyboardInterrupt", "NoneType", "NoneType"]
    rows = [word for (word,) in words.rows("SELECT word FROM words")]
    assert {word for word, error in told.items() if error is None} <= set(rows)


def test_when_the_file_is_closed_under_writes_that_wait_each_is_told_by_an_error_of_its_own(words: Database) -> None:
    insert = "INSERT INTO words VALUES (?, 1)"
    with held_up(words, [(insert, (word,)) for word in "ab"], then=words.close) as writes:
        pass

    first, second = (write.exception() for write in writes)
    assert (str(first), str(second)) == ("Cannot operate on a closed database.",) * 2
    assert first is not second


def test_a_write_inside_a_transaction_is_part_of_it_and_those_that_wait_are_not(words: Database) -> None:
    insert = "INSERT INTO words VALUES (?, 1)"
    begun: list[Future[int]] = []

    def give_up() -> None:
        with held_up(words, [(insert, ("waited",))]) as writes:
            begun.extend(writes)
            words.execute(insert, ("inside",))
            raise TimeoutError

    with pytest.raises(TimeoutError):
        give_up()

    assert [write.result() for write in begun] == [1]
    assert words.rows("SELECT word FROM words") == [("waited",)]
