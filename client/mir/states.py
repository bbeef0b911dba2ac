"""What `mir show` tells of a state of a branch; kept beside the data, since a version never changes."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from client.mir.repository import Repository
from client.mir.revs import SPLITS, tid_of

if TYPE_CHECKING:  # what was kept is shown without pydantic
    from schemas.datasets import Version
    from schemas.projects import ClassList
    from schemas.statistics import VersionStatistics

FOLDER: Final = "states"
GROUND_TRUTH: Final = "ground_truth"
ATTRIBUTES: Final = "attributes"


class LayerState(NamedTuple):
    """One set of annotations."""

    name: str
    assets: int
    """With at least one annotation."""
    empty: int
    """Looked at, with nothing on them."""
    annotations: int
    classes: dict[str, int]
    """How many annotations each class has."""


class State(NamedTuple):
    """What a version holds."""

    hid: str
    images: int = 0
    splits: Mapping[str, int] = MappingProxyType({})
    keywords: tuple[str, ...] = ()
    """The classes of its ground truth, in order of their ids."""
    custom_keywords: tuple[str, ...] = ()
    """The names of attributes of its images."""
    annotated: int = 0
    layers: tuple[LayerState, ...] = ()
    message: str = ""
    digest: str = ""

    def count(self, prefix: str) -> int:
        """Return how many assets are in the split of a prefix: tr, va, te."""
        return self.splits.get(SPLITS[prefix], 0)


def state_of(version: "Version", statistics: "VersionStatistics", classes: "ClassList", *, tid: str | None) -> State:
    """Return what a version holds."""
    layers = tuple(
        LayerState(
            name,
            layer.positive,
            layer.negative,
            layer.annotations,
            {one.class_name: one.annotations for one in layer.classes},
        )
        for name, layer in sorted(statistics.layers.items())
        if name != ATTRIBUTES
    )
    truth = next((layer for layer in layers if layer.name == GROUND_TRUTH), None)
    order = [entry.name for entry in classes.classes]
    names = sorted(truth.classes if truth else (), key=lambda name: order.index(name) if name in order else len(order))
    described = statistics.layers.get(ATTRIBUTES)
    return State(
        hid=str(version.number) if tid is None else tid_of(tid),
        images=statistics.images,
        splits={str(split): count for split, count in statistics.splits.items()},
        keywords=tuple(names),
        custom_keywords=tuple(sorted(one.name for one in described.attributes)) if described else (),
        annotated=truth.assets if truth else 0,
        layers=layers,
        message=version.message,
        digest=version.digest,
    )


def keep_state(repository: Repository, identity: str, state: State) -> None:
    """Keep what a version holds, for the next time."""
    path = _path(repository, identity)
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(
        json.dumps(
            {**state._asdict(), "splits": dict(state.splits), "layers": [layer._asdict() for layer in state.layers]}
        )
    )
    draft.replace(path)


def kept_state(repository: Repository, identity: str) -> State | None:
    """Return what was kept of a version."""
    with suppress(OSError, ValueError, TypeError):
        fields: dict[str, Any] = json.loads(_path(repository, identity).read_bytes())
        lists = {name: tuple(fields[name]) for name in ("keywords", "custom_keywords")}
        return State(**{**fields, **lists, "layers": tuple(LayerState(**layer) for layer in fields["layers"])})
    return None


def _path(repository: Repository, identity: str) -> Path:
    return repository.data / FOLDER / f"{identity}.json"
