"""Projects and their classes."""

from typing import Annotated, ClassVar, Self

from pydantic import Field

from schemas.annotations import ClassName, ObjectType
from schemas.errors import Fault, Invalid
from schemas.schema import Document, Id, Instant, Name, Schema

CLASSES_AT_MOST = 10_000

Description = Annotated[str, Field(max_length=2_000)]


class Targets(Schema):
    """When a project's loop has done enough; shown, never enforced."""

    rounds: int | None = Field(default=None, ge=1)
    mean_average_precision: float | None = Field(default=None, ge=0, le=1)
    training_images: int | None = Field(default=None, ge=1)


class ProjectSubmission(Schema):
    """A project to be made."""

    name: Name
    object_type: ObjectType = ObjectType.DETECTION
    description: Description = ""
    classes: tuple[ClassName, ...] = ()
    targets: Targets = Targets()


class ProjectChange(Schema):
    """What can change in a project; what is left out stays. ``removed`` hides it, or shows it again."""

    description: Description | None = None
    targets: Targets | None = None
    removed: bool | None = None


class Project(Document):
    """A namespace with one object type: classes, datasets, models, members."""

    KIND: ClassVar[str] = "project"
    INDEXED: ClassVar[tuple[str, ...]] = ("name", "created_at", "removed_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("name",),)

    id: Id
    name: str
    object_type: ObjectType
    description: str = ""
    targets: Targets = Targets()
    created_at: Instant
    removed_at: Instant | None = None


class ClassEntry(Schema):
    """One class: its main name and the other names that import turns into it."""

    name: ClassName
    aliases: tuple[ClassName, ...] = ()


class ClassBatch(Schema):
    """Classes to add or whose aliases to replace: all of them, or none; with ``dry_run`` only checked."""

    classes: tuple[ClassEntry, ...] = Field(min_length=1, max_length=CLASSES_AT_MOST)
    dry_run: bool = False


class ClassChange(Schema):
    """The aliases that a class has from now on."""

    aliases: tuple[ClassName, ...]


class ClassList(Document):
    """The classes of a project in order of creation, so that the position is the id; its own id is the project's."""

    KIND: ClassVar[str] = "classes"

    id: Id
    classes: tuple[ClassEntry, ...] = ()

    def main_names(self) -> dict[str, str]:
        """Return every name and alias with the main name it stands for."""
        return {name: entry.name for entry in self.classes for name in (entry.name, *entry.aliases)}

    def with_entries(self, entries: tuple[ClassEntry, ...]) -> Self:
        """Return the list with ``entries`` added, or their aliases replaced; raise Invalid naming every conflict."""
        changed = {entry.name: entry for entry in self.classes}
        changed |= {entry.name: entry for entry in entries}
        owners = {entry.name: entry.name for entry in changed.values()}
        faults: list[Fault] = []
        for entry in changed.values():
            for alias in entry.aliases:
                owner = owners.setdefault(alias, entry.name)
                if owner != entry.name or alias == entry.name:
                    detail = f"{alias!r} would be an alias of {entry.name!r}, and is a name or alias of {owner!r}."
                    faults.append(Fault(detail, entry.name))
        if faults:
            message = "Some names are taken by other classes; nothing was changed."
            raise Invalid(message, step="Leave out the names that are taken.", faults=faults)
        if len(changed) > CLASSES_AT_MOST:
            message = f"A project has at most {CLASSES_AT_MOST} classes."
            raise Invalid(message)
        return self.successor(classes=tuple(changed.values()))
