"""Stored documents of older and newer numbers."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from schemas.errors import Invalid
from schemas.schema import Document, Instant
from schemas.tasks import Task
from storage.sqlite import open_database
from storage.upgrades import Upgrade, revive
from tests.factories import NOON, a_task


class Letter(Document):
    """Number 1 had a ``name`` and a ``time``; number 2 an ``author`` instead; number 3 has ``authors``."""

    KIND: ClassVar[str] = "letter"
    NUMBER: ClassVar[int] = 3
    INDEXED: ClassVar[tuple[str, ...]] = ("written_at",)

    authors: tuple[str, ...]
    written_at: Instant


def named_author(letter: dict[str, Any]) -> dict[str, Any]:
    return {"id": letter["id"], "author": letter["name"], "written_at": letter["time"]}


def several_authors(letter: dict[str, Any]) -> dict[str, Any]:
    return {**letter, "authors": [letter["author"]]}


UPGRADES: Mapping[tuple[str, int], Upgrade] = {("letter", 1): named_author, ("letter", 2): several_authors}
SAMPLES: Mapping[int, dict[str, Any]] = {
    1: {"id": "a", "name": "Ada", "time": "2026-11-22T12:00:00.000Z"},
    2: {"id": "a", "author": "Ada", "written_at": "2026-11-22T12:00:00.000Z"},
    3: {"id": "a", "authors": ["Ada"], "written_at": "2026-11-22T12:00:00.000Z"},
}
LETTER = Letter(id="a", authors=("Ada",), written_at=NOON)


@pytest.mark.parametrize("number", SAMPLES)
def test_every_number_there_was_is_read(number: int) -> None:
    assert revive(Letter, number=number, body=json.dumps(SAMPLES[number]), upgrades=UPGRADES) == LETTER


def test_a_number_of_a_newer_release_is_read_as_far_as_it_is_known() -> None:
    body = json.dumps({**SAMPLES[3], "colour": "blue"})

    assert revive(Letter, number=9, body=body, upgrades=UPGRADES) == LETTER


def test_a_number_that_nothing_upgrades_says_what_to_do() -> None:
    with pytest.raises(Invalid, match="letter of number 2 into one of number 3") as caught:
        revive(Letter, number=1, body=json.dumps(SAMPLES[1]), upgrades={("letter", 1): named_author})

    assert "release" in caught.value.step


@pytest.mark.parametrize("body", ["{}", "[]", "nul", '{"id": "a", "authors": 7, "written_at": "noon"}'])
def test_what_cannot_be_read_is_named(body: str) -> None:
    with pytest.raises(Invalid, match="letter of number 3") as caught:
        revive(Letter, number=3, body=body)

    assert "back-up" in caught.value.step


def test_a_task_that_no_release_would_accept_any_more_is_read() -> None:
    # Given a merge of two lines under a strategy, which an earlier release kept, and then failed
    asked = {"type": "merge", "dataset": "merged", "ours": "one", "theirs": "other", "strategy": "host"}
    body = json.loads(a_task().model_dump_json()) | {"parameters": asked}

    # Then it is listed and collected like any other
    assert revive(Task, number=1, body=json.dumps(body)).parameters.type == "merge"


async def test_the_number_is_kept_with_the_document(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    async with open_database(path) as database:
        await database.documents(Letter).add(LETTER)

    rows = sqlite3.connect(path).execute("SELECT number FROM letter").fetchall()

    assert rows == [(3,)]
