"""Answers of Label Studio: one task of it as what is said of one item."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.labeling import Answer, ItemState
from storage.datasets.rows import AnnotationRow, ImageRow, to_annotation
from workers.formats.label_studio_regions import OURS
from workers.formats.label_studio_task import labels_of
from workers.labeling.tools import Told, Unfit

Json = Mapping[str, Any]

# A task that nobody touched since it was made says nothing; a busy server takes so long from one instant to the other.
UNTOUCHED: Final = timedelta(milliseconds=100)
# What the import of a file leaves out, whoever drew it can still be asked about.
NO_LABEL: Final = "no label"
REJECTED: Final = "rejected"
MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")


def told_of(tasks: Iterable[Json], *, authors: Mapping[int, str]) -> Told:
    """Return what tasks say, with their annotations and predictions; ``authors`` has the addresses of users by id."""
    answers: list[Answer] = []
    unfit: list[Unfit] = []
    for task in tasks:
        match _said(task, authors):
            case Answer() as answer:
                answers.append(answer)
            case Unfit() as refusal:
                unfit.append(refusal)
    return Told(answers, unfit)


def revision_of(task: Json) -> int:
    """Return the microseconds of a task's last change: it rises with every annotation made, changed or deleted."""
    return (changed_at(task) - EPOCH) // MICROSECOND


def changed_at(task: Json) -> datetime:
    """Return when a task or an annotation of it was changed last."""
    return datetime.fromisoformat(task["updated_at"])


def is_touched(task: Json) -> bool:
    """Tell whether anything became of a task since it was made."""
    if task.get("total_annotations") or task.get("cancelled_annotations"):
        return True
    return changed_at(task) - datetime.fromisoformat(task["created_at"]) >= UNTOUCHED


def _said(task: Json, authors: Mapping[int, str]) -> Answer | Unfit | None:
    data = task.get("data")
    asset = data.get("asset") if isinstance(data, dict) else None
    if not isinstance(asset, str):
        return None  # somebody put it there: it is none of ours
    revision = revision_of(task)
    try:
        work = [entry for entry in task.get("annotations") or () if not _is_rejected(entry)]
        if not work and not is_touched(task):
            return None
        return _answer({**task, "annotations": [*_plain(work, authors)]}, asset, revision)
    except Invalid as error:
        return Unfit(asset, " ".join(f"{fault.pointer}: {fault.detail}." for fault in error.faults), revision)
    except ValidationError as error:
        first = error.errors()[0]
        return Unfit(asset, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.", revision)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        # Annotations that come over the tool's API may be any JSON.
        return Unfit(asset, f"Its annotations cannot be read ({type(error).__name__}: {error}).", revision)


def _answer(task: Json, asset: str, revision: int) -> Answer | Unfit:
    size = (task["data"].get("width"), task["data"].get("height"))
    if any(type(side) is not int or side < 1 for side in size):
        return Unfit(asset, "Width and height of the image are gone from the task's data.", revision)
    kept = [entry for entry in task["annotations"] if not entry.get("was_cancelled")]
    if shown := next((shown for shown in _shown_sizes(kept) if shown != size), None):
        was = f"It was drawn on a picture of {shown[0]} x {shown[1]} pixels; the image has {size[0]} x {size[1]}."
        return Unfit(asset, was, revision)
    if not kept:
        state = ItemState.SKIPPED if task["annotations"] else ItemState.OPEN
        return Answer(asset=asset, state=state, author=_author_of(task["annotations"]), revision=revision)
    image = ImageRow(bytes(32), width=size[0], height=size[1])
    labels = labels_of({"data": {}, "annotations": kept}, where="", image=image)
    if forgotten := next((found.detail for found in labels.findings if found.kind == NO_LABEL), None):
        return Unfit(asset, forgotten, revision)
    annotations = tuple(to_annotation(_answered(row)) for row in labels.annotations)
    return Answer(asset=asset, annotations=annotations, author=_author_of(kept), revision=revision)


def _answered(row: AnnotationRow) -> AnnotationRow:
    """Return what somebody vouches for, whatever a model made of it."""
    return row._replace(confidence=None)


def _plain(work: Sequence[Json], authors: Mapping[int, str]) -> Iterator[Json]:
    """Yield annotations with the address of who made them, and results as they are read."""
    for entry in work:
        by = entry.get("completed_by")
        author = by.get("email") if isinstance(by, dict) else authors.get(by) if isinstance(by, int) else None
        results = entry.get("result")
        read = [*_results(results)] if isinstance(results, list) else results
        yield {**entry, "completed_by": author or by, "result": read}


def _results(results: Sequence[Any]) -> Iterator[Any]:
    """Yield results of which key points that were put under a rectangle are parts of it.

    Who made a suggestion is not who answers; the item knows it of those that were not changed.
    """
    ids = {found.get("id") for found in results if isinstance(found, dict) and found.get("type") == "rectanglelabels"}
    for found in results:
        if not isinstance(found, dict):
            yield found
            continue
        plain = dict(found)
        if found.get("type") == "keypointlabels" and found.get("parentID") in ids:
            plain["id"] = found["parentID"]
        ours = (found.get("meta") or {}).get(OURS) if isinstance(found.get("meta"), dict) else None
        if isinstance(ours, dict):
            plain["meta"] = {OURS: {key: value for key, value in ours.items() if key != "author"}}
        yield plain


def _is_rejected(entry: Json) -> bool:
    """Tell whether the last review of an annotation, which Label Studio Enterprise has, rejected it."""
    reviews = [review for review in entry.get("reviews") or () if isinstance(review, dict)]
    if reviews:
        return reviews[-1].get("accepted") is False and not reviews[-1].get("fixed_annotation_history")
    return entry.get("last_action") == REJECTED


def _shown_sizes(work: Sequence[Json]) -> Iterator[tuple[int, int]]:
    for entry in work:
        for found in entry.get("result") or ():
            if isinstance(found, dict):
                sides = (found.get("original_width"), found.get("original_height"))
                if all(type(side) is int and side > 0 for side in sides):
                    yield sides  # type: ignore[misc]  # both are integers


def _author_of(work: Sequence[Json]) -> str | None:
    author = work[-1].get("completed_by") if work else None
    return str(author)[:200] if isinstance(author, (str, int)) else None
