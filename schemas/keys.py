"""API keys: who calls, and what they may do."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from schemas.schema import Digest, Document, Id, Instant, Name, Schema

PROJECTS_AT_MOST: Final = 1_000


class Role(StrEnum):
    """What a key may do: look, change data, or everything. Each may what those before it may."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """How much it may, from 0."""
        return list(Role).index(self)


class Scope(StrEnum):
    """A part of the service that a key may be narrowed to, whatever its role."""

    READ = "read"
    """Everything that only looks."""
    TASKS = "tasks"
    UPLOADS = "uploads"
    DATASETS = "datasets"
    """Datasets, versions, tags and classes."""
    MODELS = "models"
    LABELING = "labeling"
    """The answers of labeling jobs, and those to the conflicts of merges."""
    WEBHOOKS = "webhooks"
    RULES = "rules"
    ADMIN = "admin"
    """Projects, executors, keys and dead letters."""


class Grant(Schema):
    """A role in one project."""

    project: Id
    name: str
    """The project's name, which never changes."""
    role: Role


class ApiKey(Document):
    """A key; only the digest of its secret is kept."""

    KIND: ClassVar[str] = "key"
    INDEXED: ClassVar[tuple[str, ...]] = ("secret", "name", "created_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("secret",),)

    id: Id
    name: str
    secret: Digest
    role: Role | None = None
    """Its role in every project and in the service itself; None: only what ``grants`` say."""
    grants: tuple[Grant, ...] = ()
    scopes: tuple[Scope, ...] = ()
    """What it is narrowed to; none: everything that its role may."""
    created_by: str = ""
    created_at: Instant
    expires_at: Instant | None = None
    fingerprint: str = ""
    """The digest of the request that made it, if that had an idempotency key."""

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything everywhere, as far as its scopes go."""
        return self.role is Role.ADMIN

    @property
    def highest(self) -> Role | None:
        """The highest role that it has anywhere."""
        roles = (self.role, *(grant.role for grant in self.grants))
        return max((role for role in roles if role), key=_rank, default=None)

    def role_in(self, project: Id) -> Role | None:
        """Return its role in a project, None if it may not even know of it."""
        roles = [self.role, *(grant.role for grant in self.grants if grant.project == project)]
        return max((role for role in roles if role), key=_rank, default=None)

    def administers(self, projects: Sequence[Id]) -> bool:
        """Return whether it administers some projects, or where none is named, everything."""
        return self.is_admin or (bool(projects) and all(self.role_in(one) is Role.ADMIN for one in projects))

    def readable(self) -> frozenset[Id] | None:
        """Return the projects that it may read; None: all of them."""
        return frozenset(grant.project for grant in self.grants) if self.role is None else None


class ProjectRole(Schema):
    """A role in the project of a name."""

    project: Name
    role: Role


class KeySubmission(Schema):
    """A key to be made: with a role everywhere, or in some projects."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Whose it is, or what for: tasks and logs show it."""
    role: Role | None = None
    projects: Annotated[tuple[ProjectRole, ...], Field(max_length=PROJECTS_AT_MOST)] = ()
    scopes: tuple[Scope, ...] = ()
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _may_something(self) -> Self:
        if self.role is None and not self.projects:
            message = "a key needs a role, or projects to have one in"
            raise ValueError(message)
        names = [one.project for one in self.projects]
        if len(set(names)) < len(names):
            message = "a project is named more than once"
            raise ValueError(message)
        return self


class KeyView(Schema):
    """A key as it is shown: without its secret, which nobody has but its bearer."""

    id: Id
    name: str
    role: Role | None
    projects: tuple[ProjectRole, ...]
    scopes: tuple[Scope, ...]
    created_by: str
    created_at: Instant
    expires_at: Instant | None


class NewKey(KeyView):
    """A key that was made just now, with its secret, which is told this once."""

    secret: str


def secret_digest(secret: str) -> Digest:
    """Return what is kept of a secret: keys are long and random, so a plain hash cannot be reversed."""
    return f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"


def _rank(role: Role) -> int:
    return role.rank
