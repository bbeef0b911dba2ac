"""A session: one command at work on a repository's project, in the repository itself or at a service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from client.api import Client
from client.calls import Refused
from client.mir.codes import Code, MirError
from client.mir.label_syncing import Labels, label_file_of
from client.mir.repository import Repository
from client.mir.revs import MASTER, Rev
from client.mir.telling import tell
from client.reach import reached, readable, target_of
from schemas.datasets import Dataset, Tag, Version
from schemas.projects import Project, ProjectSubmission


class Session(NamedTuple):
    """What a command works with."""

    repository: Repository
    client: Client
    is_own: bool
    """Whether this process runs the tasks, and so reads what its user can read."""

    @property
    def path(self) -> str:
        """The address of the project."""
        return f"/v1/projects/{self.repository.project}"

    async def version(self, rev: Rev) -> Version | None:
        """Return the version that a rev names, None for one that is always empty; raise MirError if there is none."""
        meant = self.repository.meant(rev)
        if meant.branch == MASTER:
            return None
        ref = await self.ref(meant)
        branch, _, at = ref.partition("@")
        try:
            if at:
                return await self.client.get(Version, f"{self.path}/datasets/{branch}/versions/{at}")
            async for version in self.client.items(Version, f"{self.path}/datasets/{branch}/versions"):
                return version
        except Refused as error:
            if error.problem.status != HTTPStatus.NOT_FOUND:
                raise
            return self._empty(meant, error)
        return self._empty(meant, None)

    async def ref(self, rev: Rev) -> str:
        """Return the ref of a rev: a tid of digits only is a tag of ours, else the number of a version."""
        meant = self.repository.meant(rev)
        if meant.tid is None or not meant.tid.isdecimal():
            return meant.ref
        try:
            await self.client.get(
                Version, f"{self.path}/datasets/{meant.branch}/versions/{meant.ref.partition('@')[2]}"
            )
        except Refused as error:
            if error.problem.status != HTTPStatus.NOT_FOUND:
                raise
            return f"{meant.branch}@{meant.tid}"
        return meant.ref

    async def given(self, rev: Rev) -> Version:
        """Return the version that a rev names; raise MirError if it is empty or there is none."""
        version = await self.version(rev)
        if version is None:
            message = f"{rev} is empty"
            raise MirError(
                Code.INVALID_ARGS, message, step="Name a branch with something in it: mir branch lists them."
            )
        return version

    async def datasets(self) -> list[str]:
        """Return the names of all datasets."""
        return [dataset.name async for dataset in self.client.items(Dataset, f"{self.path}/datasets")]

    async def hide(self, dataset: str) -> None:
        """Hide a dataset."""
        await self.client.patch(Dataset, f"{self.path}/datasets/{dataset}", {"removed": True})

    async def show(self, dataset: str) -> None:
        """Show a hidden dataset again."""
        await self.client.patch(Dataset, f"{self.path}/datasets/{dataset}", {"removed": False})

    async def remove(self, dataset: str) -> None:
        """Hide a dataset with its versions, and free their tags, so that a new one can bear its name."""
        path = f"{self.path}/datasets/{dataset}"
        for tag in [tag.name async for tag in self.client.items(Tag, f"{path}/tags")]:
            await self.client.delete(f"{path}/tags/{tag}")
        for number in [version.number async for version in self.client.items(Version, f"{path}/versions")]:
            await self.client.delete(f"{path}/versions/{number}")
        await self.hide(dataset)

    def _empty(self, rev: Rev, error: Refused | None) -> None:
        """Return None for a state without a version, such as that of a training; raise MirError if there is no such."""
        known = [entry for entry in self.repository.history() if entry.branch == rev.branch]
        if any(rev.tid is None or entry.tid == rev.tid for entry in known):
            return
        problem = "" if error is None else f" {error.problem.detail}"
        step = "mir branch lists the branches, mir log --src-rev BRANCH what is in one."
        message = f"there is no {rev}.{problem}"
        raise MirError(Code.INVALID_BRANCH_OR_TAG, message, step=step)


@asynccontextmanager
async def working(repository: Repository, *, label_file: str | None) -> AsyncIterator[Session]:
    """Open a session for tasks; the project has the classes of the label file then, and the file its at the end."""
    target = target_of(repository.data)
    async with reached(target, import_roots=(Path("/"),), tell=tell) as (client, is_own):
        session = Session(repository, client, is_own)
        await _have_project(client, repository.project)
        labels = Labels(repository, label_file_of(repository, label_file), client, project=repository.project)
        await labels.bring(tell=tell)
        yield session
        await labels.write_back()


@asynccontextmanager
async def looking(repository: Repository) -> AsyncIterator[Session]:
    """Open a session that only reads: it waits for nobody."""
    async with readable(target_of(repository.data)) as client:
        yield Session(repository, client, is_own=False)


async def _have_project(client: Client, name: str) -> None:
    try:
        await client.get(Project, f"/v1/projects/{name}")
    except Refused as error:
        if error.problem.status != HTTPStatus.NOT_FOUND:
            raise
        await client.post(Project, "/v1/projects", ProjectSubmission(name=name))
