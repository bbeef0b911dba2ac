"""A glance at the documents of a repository, past the service: `mir show` and `mir branch` answer at once.

Whatever is not as it was when this was written has no answer here: the service is asked then.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from client.mir.repository import Repository
from client.mir.revs import Rev

DOCUMENTS: Final = "ymir.db"
FORM: Final = 1
"""The number of the stored form of all that is read here."""

_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('dataset', 'project')"
_DATASETS: Final = """
    SELECT json_extract(dataset.body, '$.name'), dataset.id, dataset.number, project.number
    FROM dataset JOIN project ON project.id = json_extract(dataset.body, '$.project')
    WHERE json_extract(project.body, '$.name') = ? AND json_extract(dataset.body, '$.removed_at') IS NULL"""
_NEWEST: Final = """
    SELECT id, number, json_extract(body, '$.number') FROM version
    WHERE json_extract(body, '$.dataset') = ? AND json_extract(body, '$.removed_at') IS NULL
    ORDER BY json_extract(body, '$.number') DESC LIMIT 1"""
_TAGS: Final = (
    "SELECT json_extract(body, '$.version'), number FROM tag WHERE {} AND json_extract(body, '$.dataset') = ?"
)
_TAGGED: Final = _TAGS.format("json_extract(body, '$.name') = ?")
_SHOWN: Final = "SELECT id, number FROM version WHERE id = ? AND json_extract(body, '$.removed_at') IS NULL"


class Glanced(Exception):
    """There is no answer here."""


def glanced_datasets(repository: Repository) -> list[str]:
    """Return the names of all datasets; raise Glanced."""
    with _documents(repository) as documents:
        return sorted(_dataset_ids(documents, repository))


def glanced_version(repository: Repository, rev: Rev) -> str:
    """Return the id of the version that a rev names; raise Glanced."""
    with _documents(repository) as documents:
        dataset = _dataset_ids(documents, repository).get(rev.branch)
        if dataset is None:
            raise Glanced
        if rev.tid is None:
            rows = documents.execute(_NEWEST, (dataset,)).fetchall()
        else:
            tagged = documents.execute(_TAGGED, (rev.ref.partition("@")[2], dataset)).fetchall()
            rows = [
                row for one in tagged for row in documents.execute(_SHOWN, (one[0],)).fetchall() if _is_known(one[1])
            ]
    if len(rows) != 1 or not _is_known(rows[0][1]):
        raise Glanced
    return str(rows[0][0])


def _dataset_ids(documents: sqlite3.Connection, repository: Repository) -> dict[str, str]:
    if len(documents.execute(_TABLES).fetchall()) < 2:  # noqa: PLR2004 - none was made yet
        return {}
    rows = documents.execute(_DATASETS, (repository.project,)).fetchall()
    if not all(_is_known(row[2]) and _is_known(row[3]) for row in rows):
        raise Glanced
    return {row[0]: row[1] for row in rows}


def _is_known(number: int) -> bool:
    return number == FORM


@contextmanager
def _documents(repository: Repository) -> Iterator[sqlite3.Connection]:
    if os.environ.get("YMIR_URL"):
        raise Glanced
    try:
        address = f"{(repository.data / DOCUMENTS).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=2)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise Glanced from error
