"""Searching: versions by keyword, tag and class, page by page; no page takes long, however rare what is looked for."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from gateway.asset_rows import Layers
from gateway.class_names import main_names_of
from gateway.reading import PageQuery
from gateway.services import Services
from schemas.annotations import ClassName
from schemas.datasets import Dataset, Tag, Version
from schemas.pages import Page
from schemas.projects import Project
from schemas.schema import Id, to_text
from storage.class_names import names_in
from storage.cursors import Cursor
from storage.datasets.statistics import Classes, classes_in
from storage.paging import every, pages
from storage.ports import Query

BATCH: Final = 200
SECONDS: Final = 2.0
"""After so long a page ends, perhaps with nothing on it: the next one goes on from there."""
NEWEST_FIRST: Final = "-created_at"
Words = Annotated[tuple[str, ...], Field(max_length=100)]


class SearchQuery(PageQuery):
    """Which versions are looked for: those that meet every condition; of several values of one any will do."""

    keyword: Words = ()
    """A part of one of their keywords, in whatever case."""
    tag: Words = ()
    """How a tag of theirs begins."""
    classes: Annotated[tuple[ClassName, ...], Field(alias="class", max_length=1_000)] = ()
    """A class that is in them; aliases are taken for their class."""
    layer: Layers = ()
    """The layers in which the class is; any when not given."""
    name: Annotated[str, Field(max_length=100)] = ""
    """How the name of their dataset begins."""

    @property
    def is_of_versions(self) -> bool:
        """Whether versions have to be looked at."""
        return bool(self.keyword or self.tag or self.classes)


class Search:
    """One search in a project."""

    def __init__(self, query: SearchQuery, project: Project, services: Services) -> None:
        self._query = query
        self._project = project
        self._services = services
        self._versions = services.database.documents(Version)
        self._datasets = services.database.documents(Dataset)
        self._ends_at = asyncio.get_running_loop().time() + SECONDS
        self._classes: tuple[str, ...] = ()

    async def begin(self) -> None:
        """Look up what the classes that are looked for are called."""
        if self._query.classes:
            names = await names_in(self._project.id, self._services.database)
            self._classes = main_names_of(self._query.classes, names)

    async def versions(self, *, limit: int) -> Page[Version]:
        """Return a page of versions, the newest first; those of hidden datasets are hidden."""
        of_name = {"dataset_name": self._query.name} if self._query.name else {}
        wanted = Query(equal={"project": self._project.id, "removed_at": None}, prefix=of_name)
        found: list[Version] = []
        cursor = self._query.cursor
        while True:
            page = await self._versions.list(wanted, order=NEWEST_FIRST, limit=BATCH, cursor=cursor)
            likely = await self._likely(await self._of_shown_datasets(page.items))
            for version in page.items:
                if version.id in likely and await self._has_class(version, likely[version.id]):
                    found.append(version)
                if len(found) == limit or self._is_over():
                    is_last = version is page.items[-1] and page.next is None
                    last = Cursor(NEWEST_FIRST, to_text(version.created_at), version.id)
                    return Page(items=tuple(found), next=None if is_last else last.text())
            if (cursor := page.next) is None:
                return Page(items=tuple(found))

    async def datasets(self, wanted: Query, *, limit: int) -> Page[Dataset]:
        """Return a page of those datasets, by name, that have a version that is looked for."""
        found: list[Dataset] = []
        cursor = self._query.cursor
        while True:
            page = await self._datasets.list(wanted, order="name", limit=BATCH, cursor=cursor)
            for dataset in page.items:
                if await self._has_version(dataset):
                    found.append(dataset)
                if len(found) == limit or self._is_over():
                    is_last = dataset is page.items[-1] and page.next is None
                    last = Cursor("name", dataset.name, dataset.id)
                    return Page(items=tuple(found), next=None if is_last else last.text())
            if (cursor := page.next) is None:
                return Page(items=tuple(found))

    async def _has_version(self, dataset: Dataset) -> bool:
        wanted = Query(equal={"dataset": dataset.id, "removed_at": None})
        async for some in pages(self._versions, wanted, order="-number", size=BATCH):
            likely = await self._likely(some)
            for version in some:
                if version.id in likely and await self._has_class(version, likely[version.id]):
                    return True
        return False

    async def _of_shown_datasets(self, versions: Sequence[Version]) -> list[Version]:
        datasets = await self._datasets.get_many(list({version.dataset for version in versions}))
        shown = {dataset.id for dataset in datasets if dataset.removed_at is None}
        return [version for version in versions if version.dataset in shown]

    async def _likely(self, versions: Sequence[Version]) -> dict[Id, Classes | None]:
        """Return those versions that have the keywords and tags, with their classes if these are known."""
        rest = [version for version in versions if self._has_keyword(version)]
        if self._query.tag and rest:
            tagged = await self._tagged(rest)
            rest = [version for version in rest if version.id in tagged]
        known = await self._services.library.classes([version.digest for version in rest]) if self._classes else {}
        return {version.id: known.get(version.digest) for version in rest}

    def _has_keyword(self, version: Version) -> bool:
        words = [word.casefold() for word in self._query.keyword]
        return not words or any(word in keyword.casefold() for keyword in version.keywords for word in words)

    async def _tagged(self, versions: Sequence[Version]) -> set[Id]:
        tags = self._services.database.documents(Tag)
        of_them = every(tags, Query(equal={"version": [version.id for version in versions]}))
        return {tag.version async for tag in of_them if tag.name.startswith(self._query.tag)}

    async def _has_class(self, version: Version, known: Classes | None) -> bool:
        if not self._classes:
            return True
        if known is None:
            known = classes_in(await self._services.library.statistics(version.digest))
        layers = self._query.layer or tuple(known)
        return any(name in self._classes for layer in layers for name in known.get(layer, ()))

    def _is_over(self) -> bool:
        return asyncio.get_running_loop().time() > self._ends_at
