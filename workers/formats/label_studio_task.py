"""What one task of Label Studio says of its image: the work of its annotators, and predictions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH, LayerName
from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, ImageRow, attributes_text
from workers.formats.format import Labels, Part
from workers.formats.frames import stored_size
from workers.formats.json_values import Wrong, a_list, an_object
from workers.formats.label_studio_regions import Regions, region_type, score_of

PREDICTIONS: Final = "predictions"
_NOT_IN_NAMES: Final = re.compile("[^A-Za-z0-9@._-]+")
_RESERVED: Final = frozenset({GROUND_TRUTH, ATTRIBUTES})


class _Work(NamedTuple):
    """What one annotator or model made of a task."""

    where: str
    author: str
    score: float | None
    results: Sequence[Any]


def read_task(path: Path, *, name: str, image: ImageRow | None, part: Part) -> Labels:
    """Return what a task says of its image; raise Invalid with the JSON path of each thing that is wrong.

    Of several annotators each is heard, or those alone whose work is marked as ground truth; what an annotator
    skipped is not counted, and a task without work is not annotated. Predictions are layers of their own, named after
    their models, never ground truth.
    """
    with path.open("rb") as file:
        file.seek(part.start)
        value = orjson.loads(file.read(part.end - part.start))
    return labels_of(value, where=f"{name}: [{part.position}]", image=image)


def labels_of(task: Mapping[str, Any], *, where: str, image: ImageRow | None) -> Labels:
    """Return what a task says that was read already, as ``read_task`` does; ``where`` it is goes before each fault."""
    return _Task(task, where, image).labels()


class _Task:
    def __init__(self, task: Mapping[str, Any], where: str, image: ImageRow | None) -> None:
        self._task = task
        self._where = where
        self._image = image
        self._faults: list[Fault] = []
        self._findings: list[Finding] = []
        self._dropped: list[str] = []
        self._attributes: dict[str, Any] = {}
        self._stated = _stated_size(task)
        self._is_stored = image is not None and self._stated == stored_size(image) != (image.width, image.height)

    def labels(self) -> Labels:
        self._guarded("data", self._read_data)
        works = [*self._works()]
        rows = self._each_id_once([row for work in works for row in self._rows(work)])
        layers: dict[LayerName, tuple[AnnotationRow, ...]] = {}
        for layer, work in self._predictions():
            layers[layer] = tuple(self._each_id_once([*layers.get(layer, ()), *self._rows(work)]))
        if self._faults:
            first = self._faults[0]
            message = (
                f"{self._where} has {counted(len(self._faults), 'fault')}; the first: {first.pointer}: {first.detail}."
            )
            raise Invalid(message, step="Correct or remove the task.", faults=self._faults)
        return Labels(
            tuple(rows),
            attributes_text(self._attributes),
            self._stated,
            tuple(dict.fromkeys(self._dropped)),
            displayed=not self._is_stored,
            annotated=bool(works),
            findings=tuple(self._findings),
            layers=layers,
        )

    def _read_data(self) -> None:
        data = an_object(self._task.get("data"), ".data")
        self._attributes |= an_object(data.get("attributes"), ".data.attributes")

    def _works(self) -> Iterator[_Work]:
        """Yield the work that counts."""
        found = [*self._annotations()]
        marked = [work for work, is_truth in found if is_truth]
        works = marked or [work for work, _ in found]
        if marked and len(marked) < len(found):
            detail = f"{len(found) - len(marked)} annotations beside those marked as ground truth are left out."
            self._finding(detail, kind="not ground truth")
        if len({work.author for work in works}) > 1:
            detail = f"The objects of {len(works)} annotators are kept side by side, each with its author."
            self._finding(detail, kind="several annotators")
        yield from works

    def _annotations(self) -> Iterator[tuple[_Work, bool]]:
        if "data" not in self._task and "annotations" not in self._task and "predictions" not in self._task:
            yield from self._short_form()
            return
        key = "completions" if "completions" in self._task else "annotations"
        for position, entry in enumerate(self._list(self._task, key, f".{key}")):
            where = f".{key}[{position}]"
            if not isinstance(entry, dict):
                self._fault("is not an object", where)
            elif entry.get("was_cancelled"):
                self._finding("It was skipped by an annotator.", kind="skipped", where=where)
            else:
                results = self._list(entry, "result", f"{where}.result")
                yield (
                    _Work(f"{where}.result", _author(entry.get("completed_by")), None, results),
                    (entry.get("ground_truth") is True),
                )
        if self._task.get("drafts"):
            self._finding("Drafts are left out: they were not submitted.", kind="drafts")

    def _short_form(self) -> Iterator[tuple[_Work, bool]]:
        """Yield the work of a task in the form JSON-MIN, whose keys are those of its labels."""
        results = []
        for key, value in self._task.items():
            for region in value if isinstance(value, list) else ():
                if isinstance(region, dict) and (kind := region_type(region)):
                    size = {name: region.get(name) for name in ("original_width", "original_height")}
                    results.append({"from_name": key, "type": kind, "value": region, "id": region.get("id"), **size})
        yield _Work("", _author(self._task.get("annotator")), None, results), False

    def _predictions(self) -> Iterator[tuple[LayerName, _Work]]:
        for position, entry in enumerate(self._list(self._task, "predictions", ".predictions")):
            where = f".predictions[{position}]"
            # Exports without predictions have their ids only.
            if not isinstance(entry, dict):
                if type(entry) is not int:
                    self._fault("is not an object", where)
                continue
            results = self._list(entry, "result", f"{where}.result")
            layer = layer_named(entry.get("model_version"))
            self._finding(f"Predictions are kept as the layer {layer}.", kind="predictions", where=where)
            yield layer, _Work(f"{where}.result", "", self._score(entry, where), results)

    def _rows(self, work: _Work) -> list[AnnotationRow]:
        regions = Regions(self._size(), author=work.author, score=work.score)
        for position, result in enumerate(work.results):
            self._guarded(f"{work.where}[{position}]", partial(regions.add, result))
        found: list[AnnotationRow] = []
        self._guarded(work.where, lambda: found.extend(regions.rows()))
        self._dropped += regions.dropped
        self._attributes |= regions.of_image
        for kind, detail in regions.remarks:
            self._finding(detail, kind=kind, where=work.where)
        return found

    def _each_id_once(self, rows: Sequence[AnnotationRow]) -> list[AnnotationRow]:
        """Return rows of which the first keeps an id that several have: as where two annotators began from the same."""
        seen: set[bytes] = set()
        found = []
        for row in rows:
            if row.id is not None and row.id in seen:
                self._finding(f"Several objects have the id {row.id.hex()}; the first keeps it.", kind="repeated id")
                found.append(row._replace(id=None))
            else:
                found.append(row)
                seen.update(() if row.id is None else (row.id,))
        return found

    def _size(self) -> tuple[int, int]:
        """Return the size that percents are of."""
        if self._image is None:
            return self._stated or (100, 100)
        return stored_size(self._image) if self._is_stored else (self._image.width, self._image.height)

    def _score(self, entry: Mapping[str, Any], where: str) -> float | None:
        try:
            return score_of(entry.get("score"), f"{where}.score")
        except Wrong as error:
            self._fault(error.detail, error.where)
            return None

    def _list(self, entry: Mapping[str, Any], key: str, where: str) -> Sequence[Any]:
        try:
            return a_list(entry.get(key), where)
        except Wrong as error:
            self._fault(error.detail, error.where)
            return ()

    def _guarded(self, where: str, read: Any) -> None:  # noqa: ANN401 - any function
        try:
            read()
        except Wrong as error:
            self._fault(error.detail, where + error.where if error.where.startswith(".") or not error.where else where)

    def _fault(self, detail: str, where: str) -> None:
        self._faults.append(Fault(detail, self._where + where))

    def _finding(self, detail: str, *, kind: str, where: str = "") -> None:
        self._findings.append(Finding(subject=self._where + where, detail=detail, kind=kind))


def layer_named(version: object) -> LayerName:
    """Return the name of the layer of a model's predictions."""
    text = _NOT_IN_NAMES.sub("-", version if isinstance(version, str) else "").strip("-@._")[:200]
    return f"{text}-{PREDICTIONS}" if text in _RESERVED else text or PREDICTIONS


def _author(completed_by: object) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return str(completed_by)[:200] if isinstance(completed_by, (int, str)) and completed_by != "" else ""


def _stated_size(task: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size of the picture that the first result states."""
    for key in ("annotations", "completions", "predictions"):
        for entry in task.get(key) or () if isinstance(task.get(key), list) else ():
            results = entry.get("result") if isinstance(entry, dict) else None
            for result in results if isinstance(results, list) else ():
                width, height = _sides(result) if isinstance(result, dict) else (0, 0)
                if width > 0 and height > 0:
                    return width, height
    return None


def _sides(result: Mapping[str, Any]) -> tuple[int, int]:
    width, height = result.get("original_width"), result.get("original_height")
    return (width, height) if type(width) is int and type(height) is int else (0, 0)
