"""What is SQLite's own: its file, its locks, its indexes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import Invalid, Unavailable
from schemas.events import LoggedEvent
from schemas.schema import Document
from schemas.tasks import Task
from storage import sqlite_connections
from storage.cursors import Cursor
from storage.ports import Query
from storage.selects import after, every, index_for, order_by, where
from storage.sqlite import SqliteDatabase, open_database
from storage.tables import Table
from tests.factories import PROJECT, a_task


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "documents.sqlite"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_database(path) as database:
        yield database


async def test_documents_are_there_after_a_restart(path: Path) -> None:
    task = a_task()
    async with open_database(path) as database:
        await database.documents(Task).add(task)

    async with open_database(path) as database:
        assert await database.documents(Task).get(task.id) == task


async def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    async with open_database(tmp_path / "not" / "yet" / "documents.sqlite") as database:
        assert await database.documents(Task).count() == 0


async def test_every_commit_is_on_the_disk(database: SqliteDatabase) -> None:
    writer = database._connections._writer

    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_a_second_process_sees_what_the_first_wrote(path: Path, database: SqliteDatabase) -> None:
    task = a_task()
    async with open_database(path) as other:
        await database.documents(Task).add(task)
        assert await other.documents(Task).get(task.id) == task

        await other.documents(Task).replace(task.successor(cancel_requested=True), was=task)

        assert (await database.documents(Task).get(task.id)).cancel_requested


async def test_a_closed_database_is_unavailable(path: Path) -> None:
    async with open_database(path) as database:
        tasks = database.documents(Task)
        await tasks.add(a_task())

    with pytest.raises(Unavailable, match="closed"):
        await tasks.add(a_task())
    with pytest.raises(Unavailable, match="closed"):
        await tasks.count()


async def test_closing_waits_for_what_was_written(path: Path) -> None:
    async with open_database(path) as database:
        tasks = database.documents(Task)
        await tasks.count()
        writes = [asyncio.ensure_future(tasks.add(a_task())) for _ in range(100)]
        await asyncio.sleep(0)

    await asyncio.gather(*writes)
    async with open_database(path) as database:
        assert await database.documents(Task).count() == 100


async def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"this is a shopping list, not a database\n" * 100)

    with pytest.raises(Invalid, match=r"list\.txt") as caught:
        async with open_database(tmp_path / "list.txt"):
            pass

    assert "back-up" in caught.value.step


async def test_a_damaged_file_says_what_to_do(path: Path) -> None:
    async with open_database(path) as database:
        await database.documents(Task).add_many([a_task() for _ in range(200)])
    damage(path)

    async with open_database(path) as database:
        with pytest.raises(Invalid, match="damaged") as caught:
            await database.documents(Task).list(limit=200)

    assert "back-up" in caught.value.step


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    # The first page has the list of tables; the others hold documents and indexes.
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


async def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(Unavailable):
        async with open_database(tmp_path / "file" / "documents.sqlite"):
            pass


async def test_a_locked_file_is_unavailable_and_later_is_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_connections, "BUSY_SECONDS", 0.05)
    async with open_database(path) as database:
        tasks = database.documents(Task)
        await tasks.count()
        with hold_locked(path) as other:
            with pytest.raises(Unavailable, match="locked"):
                await tasks.add(a_task())
            other.execute("ROLLBACK")

        await tasks.add(a_task())

        assert await tasks.count() == 1


def hold_locked(path: Path) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return closing(connection)


async def test_a_full_disk_is_unavailable_and_keeps_nothing_by_halves(database: SqliteDatabase) -> None:
    tasks = database.documents(Task)
    await tasks.count()
    writer = database._connections._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 20}")

    with pytest.raises(Unavailable, match="disk full"):
        await tasks.add_many([a_task() for _ in range(1_000)])

    assert await tasks.count() == 0
    writer.execute("PRAGMA max_page_count = 1000000")
    await tasks.add(a_task())
    assert await tasks.count() == 1


async def test_a_stored_document_that_cannot_be_read_is_named(database: SqliteDatabase) -> None:
    tasks, task = database.documents(Task), a_task()
    await tasks.add(task)
    database._connections._writer.execute("UPDATE task SET body = json_set(body, '$.state', 'dreaming')")

    with pytest.raises(Invalid, match="task of number 1 cannot be read: state") as caught:
        await tasks.get(task.id)

    assert caught.value.step


async def test_a_bug_in_one_write_does_not_hurt_those_beside_it(database: SqliteDatabase) -> None:
    tasks, given = database.documents(Task), [a_task() for _ in range(20)]
    await tasks.count()

    def broken(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    writes = [tasks.add(task) for task in given]
    writes.insert(7, database._connections.write(broken))

    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(answer) for answer in answers if answer is not None] == [ZeroDivisionError]
    assert await tasks.count() == 20


async def test_writes_that_wait_share_a_transaction(database: SqliteDatabase) -> None:
    tasks = database.documents(Task)
    await tasks.count()
    statements: list[str] = []
    database._connections._writer.set_trace_callback(statements.append)

    await asyncio.gather(*(tasks.add(a_task()) for _ in range(100)))

    assert sum(statement == "COMMIT" for statement in statements) < 20
    assert await tasks.count() == 100


@pytest.mark.parametrize(
    ("kind", "query", "order", "cursor"),
    [
        (Task, Query(), "-created_at", None),
        (Task, Query(), "-created_at", "2026"),
        (Task, Query(), "id", None),
        (Task, Query(equal={"project": PROJECT}), "-created_at", "2026"),
        (Task, Query(equal={"project": PROJECT, "state": ["queued", "running"]}), "-created_at", "2026"),
        (Task, Query(equal={"state": "queued"}), "id", "x"),
        (Task, Query(equal={"unannounced": True}), "created_at", None),
        (Task, Query(prefix={"project": "00"}), "project", None),
        (Task, Query(prefix={"id": "00"}), "id", None),
        (LoggedEvent, Query(at_least={"position": 7}), "position", None),
        (LoggedEvent, Query(equal={"project": [PROJECT]}, at_least={"position": 7}), "position", None),
        (LoggedEvent, Query(equal={"project": ["a", "b"]}, at_least={"position": 7}), "position", None),
        (LoggedEvent, Query(equal={"event.type": "ymir.task.queued"}, at_least={"position": 7}), "position", None),
    ],
)
def test_a_page_is_a_walk_along_an_index(kind: type[Document], query: Query, order: str, cursor: str | None) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        plan = " / ".join(steps_of_the_plan(connection, kind, query, order, cursor))

    assert "USING INDEX" in plan
    assert "TEMP B-TREE" not in plan
    assert all(query == Query() or not step.startswith(f"SCAN {kind.KIND}") for step in plan.split(" / "))


def steps_of_the_plan(
    connection: sqlite3.Connection, kind: type[Document], query: Query, order: str, value: str | None
) -> list[str]:
    table, by = Table(kind), order_by(kind, order)
    table.make(connection)
    if index := index_for(kind, query, by):
        table.make_index(connection, index)
    span = next(after(None if value is None else Cursor(order, value, "x"), by))
    condition = every([where(kind, query, by), span])
    rows = connection.execute(f"EXPLAIN QUERY PLAN {table.select_sql(condition, by)}", (*condition.values, 10))
    return [row[3] for row in rows]
