"""An old repository of YMIR: five files of messages in git, one commit and one tag for each task."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from client.migrate.labels import Labels, read_labels
from client.migrate.messages import parsed
from schemas.errors import Invalid

TAG: Final = re.compile(r"(?P<branch>[^@]+)@(?P<task>[^@]+)")
TASK_TYPES: Final = {
    1: "training",
    2: "mining",
    3: "label",
    4: "filter",
    5: "import",
    6: "export",
    7: "copy",
    8: "merge",
    9: "infer",
    10: "sampling",
    11: "fusion",
    12: "init",
    13: "import model",
    14: "copy model",
    15: "dataset infer",
    16: "evaluate",
    17: "pull image",
    18: "exclude",
}


_ENVIRONMENT: Final = {"LC_ALL": "C", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}


class RevisionName(NamedTuple):
    """A revision by its tag: ``branch@task``, and when it was committed."""

    branch: str
    task: str
    committed_at: datetime

    def __str__(self) -> str:
        return f"{self.branch}@{self.task}"


class TaskRecord(NamedTuple):
    """What a revision says of the task that made it."""

    type: str
    name: str
    sources: str
    code: int
    told: str
    executor: str
    model: str
    """The hash of the package that it made; empty for none."""


class Revision(NamedTuple):
    """One state of the data, as messages (client/migrate/messages.py)."""

    name: RevisionName
    task: TaskRecord
    metadatas: Any
    annotations: Any
    keywords: Any


class Repository:
    """Reads a repository without writing to it; needs the program ``git``."""

    def __init__(self, root: Path) -> None:
        """Raise Invalid if the folder is no repository of YMIR."""
        self._root = root
        if not (root / ".git").exists():
            step = "Name the folder in which `mir init` was run; its .git holds the data."
            raise Invalid(f"{root} is no repository of YMIR.", step=step)

    def revisions(self) -> list[RevisionName]:
        """Return the revisions that have a tag, each after those it was made of and those before it in its branch."""
        # Several may be of one second: git knows the order in a branch, the tasks that between branches.
        form = ["--date-order", "--reverse", "--decorate=full", "--decorate-refs=refs/tags", "--format=%ct%x09%D"]
        lines = self._git("log", "--no-show-signature", "--tags", *form).decode().splitlines()
        names = [name for line in lines for name in _revision_names(*line.split("\t"))]
        before = {str(name): set(self._sources(name)) for name in names}
        for _, branch in groupby(sorted(names, key=attrgetter("branch")), key=attrgetter("branch")):
            for earlier, later in pairwise(branch):
                before[str(later)].add(str(earlier))
        known = {str(name): name for name in names}
        try:
            return [known[name] for name in TopologicalSorter(before).static_order() if name in known]
        except CycleError as error:
            message = f"Each of these revisions was made of the one before it, in a circle: {' '.join(error.args[1])}."
            raise Invalid(message, step="Check the repository with `git fsck`.") from error

    def revision(self, name: RevisionName) -> Revision:
        """Return a revision; raise Invalid if one of its files is missing or damaged."""
        return Revision(
            name,
            self.task(name),
            self._message(name, "metadatas.mir", "MirMetadatas"),
            self._message(name, "annotations.mir", "MirAnnotations"),
            self._message(name, "keywords.mir", "MirKeywords"),
        )

    def labels(self, file: Path | None = None) -> Labels:
        """Return the classes: those of ``file``, else of the label file that belongs to the repository."""
        places = [self._root / ".mir/labels.yaml", self._root / "labels.yaml", self._root / "labels.csv"]
        found = [file] if file is not None else [place for place in places if place.is_file()]
        if not found:
            step = "Name it with --labels."
            raise Invalid(f"{self._root} has no label file (.mir/labels.yaml or labels.csv).", step=step)
        return read_labels(found[0])

    def _sources(self, name: RevisionName) -> Iterator[str]:
        with suppress(Invalid):  # one that is damaged is told of when it is read
            yield from (source for source in sources_of(self.task(name)) if source != str(name))

    def task(self, name: RevisionName) -> TaskRecord:
        """Return what a revision says of the task that made it; raise Invalid as ``revision`` does."""
        tasks = self._message(name, "tasks.mir", "MirTasks")
        return _task(tasks.tasks[tasks.head_task_id or name.task])

    def _message(self, name: RevisionName, file: str, message: str) -> Any:  # noqa: ANN401 - made at run time
        return parsed(message, self._git("cat-file", "blob", f"refs/tags/{name}:{file}"), name=f"{name}: {file}")

    def _git(self, *arguments: str) -> bytes:
        # A repository that another account made is read all the same, so nothing that its configuration names may be
        # run: no program for signatures (see above), for watching files, or for fetching what is missing.
        command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", str(self._root), *arguments]
        try:
            done = subprocess.run(  # noqa: S603 - arguments of ours, and no shell
                command, check=True, capture_output=True, env={**os.environ, **_ENVIRONMENT}
            )
        except FileNotFoundError:
            raise Invalid("The program git is not installed.", step="On Debian: apt-get install git.") from None
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode(errors="replace").strip()
            step = "Check the repository with `git fsck`."
            raise Invalid(f"git {arguments[0]} failed in {self._root}: {told}", step=step) from None
        return done.stdout


def _revision_names(committed: str, decorations: str) -> Iterator[RevisionName]:
    for decoration in decorations.split(", "):
        if match := TAG.fullmatch(decoration.removeprefix("tag: refs/tags/")):
            yield RevisionName(match["branch"], match["task"], datetime.fromtimestamp(int(committed), UTC))


def _task(task: Any) -> TaskRecord:  # noqa: ANN401 - a message
    return TaskRecord(
        TASK_TYPES.get(task.type, f"type {task.type}"),
        task.name,
        task.src_revs,
        task.return_code,
        task.return_msg,
        task.executor,
        task.model.model_hash,
    )


def sources_of(task: TaskRecord) -> Iterator[str]:
    """Return the revisions that a task took from, as ``branch@task``."""
    for source in task.sources.split(";"):
        name = source.strip().rpartition(":")[2]
        if TAG.fullmatch(name):
            yield name
