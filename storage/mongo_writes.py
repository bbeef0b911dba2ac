"""Writes to a collection: those that are asked for at the same time share a round trip, each with its own answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from schemas.errors import Conflict
from schemas.schema import Document
from storage.mongo_client import Collection, Stored
from storage.mongo_errors import conflict, driver_errors, duplicates
from storage.mongo_filters import MISMATCH, at_generation
from storage.mongo_forms import to_mongo
from storage.mongo_together import Together

D = TypeVar("D", bound=Document)

# A longer document goes alone: all that go together fit into one message of the protocol.
LONG: Final = 1 << 16


class Replacement(NamedTuple):
    """A document as it is to be stored, in the place of what has a generation."""

    stored: Stored
    generation: int


class Writes(Generic[D]):
    """What writes the documents of one kind."""

    def __init__(self, kind: type[D], collection: Collection) -> None:
        self._kind = kind.KIND
        self._collection = collection
        self._adding = Together(self._add_all)
        self._replacing = Together(self._replace_all)

    async def add(self, document: D) -> None:
        """Keep a new document; raise Conflict."""
        with driver_errors(self._kind, document.id):
            stored = to_mongo(document)
        await self._adding.call(stored, alone=_is_long(stored))

    async def add_many(self, documents: Sequence[D], *, until_conflict: bool) -> list[Conflict | None]:
        """Keep new documents in order; with ``until_conflict`` the answers end with the first conflict."""
        with driver_errors(self._kind):
            stored = [to_mongo(document) for document in documents]
        return await self._insert(stored, until_conflict=until_conflict)

    async def replace(self, document: D, *, was: D) -> None:
        """Keep the successor of what is kept now; raise Conflict."""
        with driver_errors(self._kind, document.id):
            replacement = Replacement(to_mongo(document), was.generation)
        await self._replacing.call(replacement, alone=_is_long(replacement.stored))

    async def _add_all(self, documents: Sequence[Stored]) -> list[Conflict | None]:
        return await self._insert(documents, until_conflict=False)

    async def _insert(self, documents: Sequence[Stored], *, until_conflict: bool) -> list[Conflict | None]:
        taken: Mapping[int, Mapping[str, Any]] = {}
        with driver_errors(self._kind):
            try:
                await self._collection.insert_many(documents, ordered=until_conflict)
            except BulkWriteError as error:
                taken = duplicates(error)
        answers: list[Conflict | None] = [None] * (min(taken) + 1 if until_conflict and taken else len(documents))
        for number, details in taken.items():
            answers[number] = await self._named(documents[number]["_id"], details)
        return answers

    async def _replace_all(self, replacements: Sequence[Replacement]) -> list[Conflict | None]:
        writes = [ReplaceOne(at_generation(one["_id"], generation), one) for one, generation in replacements]
        answers: list[Conflict | None] = [None] * len(replacements)
        with driver_errors(self._kind):
            try:
                matched = (await self._collection.bulk_write(writes, ordered=False)).matched_count
            except BulkWriteError as error:
                matched = (error.details or {})["nMatched"]
                for number, answer in _refused(error, self._kind, replacements).items():
                    answers[number] = answer
        if matched + len(answers) - answers.count(None) < len(replacements):
            await self._find_missing(replacements, answers)
        return answers

    async def _find_missing(self, replacements: Sequence[Replacement], answers: list[Conflict | None]) -> None:
        """Answer for what could not be replaced because there is nothing under its id."""
        identities = [one["_id"] for one, _ in replacements]
        with driver_errors(self._kind):
            there = {one["_id"] async for one in self._collection.find({"_id": {"$in": identities}}, {"_id": 1})}
        for number, identity in enumerate(identities):
            if identity not in there:
                answers[number] = Conflict(self._kind, identity, key="generation")

    async def _named(self, identity: str, details: Mapping[str, Any]) -> Conflict:
        """Return a conflict under its first name: that of the id, if that is taken too."""
        found = conflict(self._kind, identity, details)
        if found.key == "id":
            return found
        with driver_errors(self._kind, identity):
            taken = await self._collection.find_one({"_id": identity}, {"_id": 1})
        return Conflict(self._kind, identity, key="id") if taken else found


def _is_long(stored: Stored) -> bool:
    return len(stored["body"]) > LONG


def _refused(error: BulkWriteError, kind: str, replacements: Sequence[Replacement]) -> dict[int, Conflict]:
    """Return the conflicts of those that the server refused, by their number; raise what else went wrong."""
    details = error.details or {}
    mismatched = [one["index"] for one in details["writeErrors"] if one["code"] == MISMATCH]
    others = [one for one in details["writeErrors"] if one["code"] != MISMATCH]
    conflicts = {
        number: conflict(kind, replacements[number].stored["_id"], one)
        for number, one in duplicates(BulkWriteError({**details, "writeErrors": others})).items()
    }
    for number in mismatched:
        conflicts[number] = Conflict(kind, replacements[number].stored["_id"], key="generation")
    return conflicts
