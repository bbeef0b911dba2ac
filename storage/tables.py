"""The table of one kind of documents: its statements, and what its constraints say."""

import sqlite3
from typing import NamedTuple

from schemas.errors import Conflict
from schemas.schema import Document
from storage.selects import Condition, Order, expression


class Row(NamedTuple):
    """A document as it is stored; ``number`` is that of its schema."""

    id: str
    generation: int
    number: int
    body: str


class Table:
    """The statements on the table of a kind, which bears the kind's name.

    Names of tables and fields are constants of the schemas; whatever comes from outside is a parameter.
    """

    def __init__(self, kind: type[Document]) -> None:
        self._kind = kind
        name = f'"{kind.KIND}"'
        self._name = name
        self._insert_sql = f"INSERT INTO {name} (id, generation, number, body) VALUES (?, ?, ?, ?)"  # noqa: S608 - see the class
        self._update_sql = f"UPDATE {name} SET generation = ?, number = ?, body = ? WHERE id = ? AND generation = ?"  # noqa: S608 - see the class
        self._has_sql = f"SELECT 1 FROM {name} WHERE id = ?"  # noqa: S608 - see the class
        self.remove_sql = f"DELETE FROM {name} WHERE id = ?"  # noqa: S608 - see the class
        self.remove_state_sql = f"DELETE FROM {name} WHERE id = ? AND generation = ?"  # noqa: S608 - see the class
        self.get_sql = f"SELECT id, number, body FROM {name} WHERE id = ?"  # noqa: S608 - see the class
        self.get_many_sql = f"SELECT id, number, body FROM {name} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - see the class

    def make(self, connection: sqlite3.Connection) -> None:
        """Make the table and the indexes of its fields and unique keys, where they are missing."""
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._name}"
            " (id TEXT PRIMARY KEY, generation INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL)"
        )
        for field in self._kind.INDEXED:
            self.make_index(connection, (field,))
        for key in self._kind.UNIQUE:
            fields = ", ".join(expression(field) for field in key)
            name = f'"{self._kind.KIND}!{"+".join(key)}"'
            connection.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {self._name} ({fields})")

    def make_index(self, connection: sqlite3.Connection, fields: tuple[str, ...]) -> None:
        """Make the index of some fields and the id, where it is missing."""
        expressions = ", ".join(expression(field) for field in (*fields, "id"))
        name = f'"{self._kind.KIND}.{"+".join(fields)}"'
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {self._name} ({expressions})")

    def row(self, document: Document) -> Row:
        """Return a document as it is stored."""
        return Row(document.id, document.generation, self._kind.NUMBER, document.model_dump_json())

    def insert(self, connection: sqlite3.Connection, row: Row) -> Conflict | None:
        """Insert a row, or return what stands against it."""
        try:
            connection.execute(self._insert_sql, row)
        except sqlite3.IntegrityError as error:
            # SQLite names the first of several keys that it happened to check: here it is always the id.
            taken = connection.execute(self._has_sql, (row.id,)).fetchone()
            return Conflict(self._kind.KIND, row.id, key="id" if taken else _key(error))
        return None

    def update(self, connection: sqlite3.Connection, row: Row, *, generation: int) -> Conflict | None:
        """Put a row in the place of that of a generation, or return what stands against it."""
        try:
            found = connection.execute(
                self._update_sql, (row.generation, row.number, row.body, row.id, generation)
            ).rowcount
        except sqlite3.IntegrityError as error:
            return Conflict(self._kind.KIND, row.id, key=_key(error))
        return None if found else Conflict(self._kind.KIND, row.id, key="generation")

    def select_sql(self, condition: Condition, order: Order) -> str:
        """Return the statement for (id, number, body, the sorted field); its last parameter is the limit."""
        fields = f"id, number, body, {expression(order.field)}"
        return f"SELECT {fields} FROM {self._name} WHERE {condition.text} ORDER BY {order.sql()} LIMIT ?"  # noqa: S608 - see the class

    def count_sql(self, condition: Condition) -> str:
        """Return the statement that counts."""
        return f"SELECT count(*) FROM {self._name} WHERE {condition.text}"  # noqa: S608 - see the class


def _key(error: sqlite3.IntegrityError) -> str:
    """Return the fields of the unique key that an error speaks of: ``UNIQUE constraint failed: index 'kind!a+b'``."""
    return str(error).rpartition("!")[2].rstrip("'")
