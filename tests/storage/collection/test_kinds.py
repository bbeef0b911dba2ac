"""Every kind of document is known to collections, and so is every place in it that names a blob."""

import importlib
import pkgutil

import schemas
from schemas.blobs import BlobRef
from schemas.conflicts import ConflictSheet
from schemas.datasets import Statistics, Tag, Version
from schemas.evaluations import Evaluation
from schemas.kinds import KINDS
from schemas.labeling import LabelingItem
from schemas.letters import DeadLetter
from schemas.manifests import Segment
from schemas.models import Model
from schemas.projects import Project
from schemas.schema import Document, Schema, digest_of
from schemas.tasks import Task
from schemas.uploads import Upload, UploadPart
from storage.collection.marks import names_blobs, parts


def test_the_table_of_kinds_has_every_document_of_the_schemas() -> None:
    for module in pkgutil.iter_modules(schemas.__path__):
        importlib.import_module(f"schemas.{module.name}")

    kinds = {kind for kind in descendants(Document) if "KIND" in vars(kind) and kind.__module__.startswith("schemas.")}

    assert kinds == set(KINDS)
    assert len({kind.KIND for kind in KINDS}) == len(KINDS)


def test_tasks_are_read_before_the_records_that_they_make() -> None:
    assert KINDS[0] is Task


def test_parts_of_uploads_are_read_before_the_uploads_that_they_become() -> None:
    assert KINDS.index(UploadPart) < KINDS.index(Upload)


def test_which_kinds_name_blobs_is_read_off_their_schemas() -> None:
    naming = {kind for kind in KINDS if names_blobs(kind)}

    named = {ConflictSheet, DeadLetter, Evaluation, Model, Segment, Statistics, Task, Upload, UploadPart, Version}
    assert naming == named
    assert not {Project, LabelingItem, Tag} & naming


def test_a_name_is_found_however_deep_it_lies() -> None:
    class Deep(Schema):
        by_name: dict[str, tuple[BlobRef, ...]]
        several: list[dict[str, BlobRef]]

    refs = [BlobRef(digest=digest_of(bytes([number])), size=1) for number in range(3)]

    found = list(flattened(Deep(by_name={"a": (refs[0], refs[1])}, several=[{"b": refs[2]}])))

    assert [part for part in found if isinstance(part, BlobRef)] == refs


def descendants(kind: type[Document]) -> set[type[Document]]:
    return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))


def flattened(value: object) -> list[object]:
    return [value, *(one for part in parts(value) for one in flattened(part))]
