"""What is shown in Label Studio, and what comes back from it: conversion alone."""

import math
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import Annotation, Box, Mask
from schemas.labeling import Answer, ItemState, LabelingItem, LabelingJob
from schemas.schema import derived_id, new_id
from storage.datasets.mask_pixels import counts_of
from storage.labeling.keeping import as_kept
from tests.factories import NOON
from tests.servers.studio_annotator import rectangle
from workers.labeling.label_studio_answers import told_of
from workers.labeling.label_studio_project import configuration, instruction, kinds_of, kinds_shown, project_of, task_of
from workers.labeling.tools import Told

SIZE = (30, 20)
ASSET = "ab" * 32
ANN = 7
AUTHORS = {ANN: "ann@example.org"}
MASK = Mask(height=20, width=30, counts="j4j0n0")
PLACE = {"x": 10, "y": 20, "width": 50, "height": 25}

SHAPES = [
    Annotation(class_name="cat", box=Box(x=1.25, y=2, width=10, height=1 / 3)),
    Annotation(class_name="cat", box=Box(x=5, y=5, width=10, height=4), rotation=math.radians(33)),
    Annotation(class_name="cat", box=Box(x=1, y=1, width=5, height=6), polygons=((1, 1, 6, 1, 6, 7),)),
    Annotation(
        class_name="cat",
        box=Box(x=0, y=0, width=20, height=19),
        polygons=((1, 1, 6, 1, 6, 7), (10, 10, 12, 10, 12, 14)),
    ),
    Annotation(class_name="cat", box=Box(x=3, y=3, width=9, height=9), keypoints=(4, 4, 2, 0, 0, 0, 8, 8, 1)),
    Annotation(
        class_name="cat", box=Box(x=1, y=2, width=3, height=4), crowd=True, attributes={"wet": True}, quality=0.5
    ),
]


KEYS = [
    *("id", "type", "value", "x", "y", "width", "height", "rotation", "points", "rle", "meta", "ymir", "parentID"),
    *("rectanglelabels", "original_width", "original_height", "reviews", "completed_by", "result", "was_cancelled"),
]


def an_item(*suggestions: Annotation) -> LabelingItem:
    """Return an item whose suggestions have ids, as those of versions have."""
    with_ids = tuple(
        suggestion.model_copy(update={"id": derived_id("suggestion", number)})
        for number, suggestion in enumerate(suggestions)
    )
    return LabelingItem(
        id=new_id(), job=new_id(), position=0, asset=ASSET, file_name="a.jpg", width=30, height=20, suggestions=with_ids
    )


def a_job(**changes: Any) -> LabelingJob:  # noqa: ANN401 - a change may be of any field
    fields = {"id": new_id(), "project": new_id(), "task": new_id(), "version": new_id(), "tool": "studio"}
    more = {"token": "secret", "classes": ("cat", 'a "b" <c>'), "annotation": "box", "items": 1, "created_at": NOON}
    return LabelingJob.model_validate({**fields, **more, **changes})


def shown(item: LabelingItem) -> dict[str, Any]:
    """Return an item as Label Studio has it."""
    task: dict[str, Any] = orjson.loads(orjson.dumps(task_of(item, link=lambda asset: f"http://gateway/{asset}")))
    return task


def a_task(*annotations: dict[str, Any], item: LabelingItem | None = None, late: float = 60.0) -> dict[str, Any]:
    """Return a task as Label Studio tells it, some seconds after it was made."""
    made_at = datetime.fromisoformat("2026-01-02T03:04:05.000001+00:00")
    task = shown(item or an_item())
    times = {"created_at": made_at.isoformat(), "updated_at": (made_at + timedelta(seconds=late)).isoformat()}
    return {**task, **times, "annotations": [*annotations]}


def submitted(*results: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {"id": 1, "completed_by": ANN, "was_cancelled": False, "result": [*results], **changes}


def told(*annotations: dict[str, Any], **changes: Any) -> Told:  # noqa: ANN401 - as above
    return told_of([a_task(*annotations, **changes)], authors=AUTHORS)


def the_answer(*annotations: dict[str, Any], **changes: Any) -> Answer:  # noqa: ANN401 - as above
    (answer,) = told(*annotations, **changes).answers
    return answer


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_suggested_and_not_changed_comes_back_as_it_was(shape: Annotation) -> None:
    item = an_item(shape)
    task = shown(item)

    answer = the_answer(submitted(*task["predictions"][0]["result"]), item=item)

    (annotation,), (suggestion,) = answer.annotations, item.suggestions
    kept = as_kept(annotation, {suggestion.id: suggestion}, author="ann@example.org")
    assert kept == suggestion.model_copy(update={"author": "ann@example.org"})


def test_a_mask_comes_back_pixel_by_pixel() -> None:
    counts = [7, 5, 30, 1, 30 * 20 - 43]
    text = _compressed(counts)
    item = an_item(Annotation(class_name="cat", mask=Mask(height=20, width=30, counts=text)))

    answer = the_answer(submitted(*shown(item)["predictions"][0]["result"]), item=item)

    mask = answer.annotations[0].mask
    assert mask is not None
    assert (mask.width, mask.height, mask.counts) == (30, 20, text)
    assert [*counts_of(mask.counts)] == counts


def test_percents_become_pixels_and_a_turn_about_a_corner_one_about_the_middle() -> None:
    turned = rectangle("cat", {"x": 50, "y": 50, "width": 20, "height": 10, "rotation": 90}, size=SIZE)

    (annotation,) = the_answer(submitted(turned)).annotations

    assert annotation.rotation == pytest.approx(math.pi / 2)
    assert annotation.box is not None
    # From (15, 10), 6 wide and 2 high, turned about that corner: its middle is (15 - 1, 10 + 3).
    assert (annotation.box.x, annotation.box.y) == pytest.approx((14 - 3, 13 - 1))


def test_skipped_empty_rejected_and_untouched_are_four_things() -> None:
    skipped = the_answer(submitted(was_cancelled=True))
    empty = the_answer(submitted())
    rejected = the_answer(submitted(reviews=[{"accepted": True}, {"accepted": False}]))
    by_action = the_answer(submitted(last_action="rejected"))
    untouched = told(late=0.0001)

    assert skipped.state is ItemState.SKIPPED
    assert (empty.state, empty.annotations) == (ItemState.LABELED, ())
    assert rejected.state is by_action.state is ItemState.OPEN
    assert untouched == Told([], [])


def test_an_annotation_that_was_deleted_opens_the_item() -> None:
    assert the_answer().state is ItemState.OPEN


def test_a_rejection_that_was_followed_by_an_approval_is_none() -> None:
    assert the_answer(submitted(reviews=[{"accepted": False}, {"accepted": True}])).state is ItemState.LABELED


def test_of_several_annotators_all_are_heard_unless_one_is_marked_as_ground_truth() -> None:
    one = submitted(rectangle("cat", PLACE, size=SIZE))
    other = submitted(rectangle("cat", PLACE, size=SIZE), completed_by={"id": 9, "email": "bob@example.org"})
    skipped = submitted(was_cancelled=True, completed_by=11)

    both = the_answer(one, other, skipped)
    marked = the_answer(one, {**other, "ground_truth": True})

    assert [annotation.author for annotation in both.annotations] == ["ann@example.org", "bob@example.org"]
    assert [annotation.author for annotation in marked.annotations] == ["bob@example.org"]


def test_key_points_under_a_rectangle_are_those_of_one_object() -> None:
    box = rectangle("cat", PLACE, size=SIZE, identity="box")
    points = [
        {
            **rectangle("cat", {"x": x, "y": 50, "width": 0.5}, size=SIZE, identity=f"point {x}"),
            "type": "keypointlabels",
            "from_name": "keypoint",
            "parentID": "box",
        }
        for x in (20, 40)
    ]
    for point in points:
        point["value"] = {"x": point["value"]["x"], "y": 50, "width": 0.5, "keypointlabels": ["cat"]}

    (annotation,) = the_answer(submitted(box, *points)).annotations

    assert annotation.box is not None
    assert annotation.keypoints == (6.0, 10.0, 2.0, 12.0, 10.0, 2.0)


def test_what_was_suggested_by_a_model_and_left_is_the_work_of_who_left_it() -> None:
    item = an_item(Annotation(class_name="cat", box=Box(x=1, y=2, width=3, height=4), confidence=0.75, author="model"))

    answer = the_answer(submitted(*shown(item)["predictions"][0]["result"]), item=item)

    (annotation,) = answer.annotations
    assert (annotation.author, annotation.confidence) == ("ann@example.org", None)


def test_revisions_rise_with_each_change() -> None:
    early, late = the_answer(submitted(), late=1.0), the_answer(submitted(), late=1.000001)

    assert late.revision == early.revision + 1


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (
            submitted(rectangle("cat", PLACE, size=(20, 30))),
            "drawn on a picture of 20 x 30 pixels; the image has 30 x 20",
        ),
        (
            submitted({**rectangle("cat", PLACE, size=SIZE), "value": {"x": "left"}}),
            ".annotations[0].result[0].value.x",
        ),
        (submitted(result="nothing"), ".annotations[0].result"),
        (submitted(rectangle("", PLACE, size=SIZE)), "is no class name"),
        (submitted({**rectangle("cat", PLACE, size=SIZE), "value": PLACE}), "1 regions without a label"),
        (submitted({**rectangle("cat", PLACE, size=SIZE), "parentID": {}, "type": "keypointlabels"}), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(annotation: dict[str, Any], reason: str) -> None:
    (unfit,) = told(annotation).unfit

    assert unfit.asset == ASSET
    assert reason in unfit.reason
    assert unfit.revision > 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(JSON, JSON)
def test_whatever_an_annotation_is_it_is_an_answer_or_told(result: object, entry: object) -> None:
    for annotation in (submitted(result=result), submitted(result=[result]), entry):
        said = told_of([{**a_task(), "annotations": [annotation]}], authors=AUTHORS)

        assert len(said.answers) + len(said.unfit) == 1


def test_a_task_that_somebody_else_put_there_is_none_of_ours() -> None:
    task = {**a_task(submitted()), "data": {"image": "http://elsewhere/1.jpg"}}

    assert told_of([task], authors={}) == Told([], [])


def test_a_task_whose_data_was_edited_is_told() -> None:
    task = a_task(submitted())
    task["data"] = {**task["data"], "width": "wide"}

    (unfit,) = told_of([task], authors={}).unfit

    assert "gone from the task's data" in unfit.reason


def test_the_configuration_has_what_is_asked_for_and_what_is_kept() -> None:
    job = a_job(annotation="mask")
    kinds = kinds_shown([shown(an_item(*SHAPES))])

    asked, kept = configuration(job, kinds_of(job)), configuration(job, kinds_of(job) | kinds)

    assert ("BrushLabels" in asked, "RectangleLabels" in asked) == (True, False)
    assert all(tag in kept for tag in ("BrushLabels", "RectangleLabels", "PolygonLabels", "KeyPointLabels"))
    assert "value='a \"b\" &lt;c&gt;'" in asked


def test_key_points_are_asked_for_with_the_box_of_their_object() -> None:
    assert kinds_of(a_job(annotation="keypoints")) == {"keypoint", "rectangle"}


def test_a_title_is_short_and_names_the_job() -> None:
    job = a_job(classes=tuple(f"class {number}" for number in range(99)))

    project = project_of(job)

    assert len(project["title"]) <= 50
    assert job.id[:12] in project["title"]
    assert job.id in project["description"]


def test_instructions_are_text_whatever_is_in_them() -> None:
    told = instruction(a_job(instructions='<script>alert(1)</script>\nhttps://a.example/?x=1&y="2"'))

    assert "<script>" not in told
    assert "<br>" in told
    assert '<a href="https://a.example/?x=1&amp;y=" ' in told


def _compressed(counts: list[int]) -> str:
    """Return run lengths in COCO's compressed form."""
    text = ""
    for number, count in enumerate(counts):
        left = count - counts[number - 2] if number > 2 else count
        more = True
        while more:
            bits = left & 0x1F
            left >>= 5
            more = left != (-1 if bits & 0x10 else 0)
            text += chr((bits | (0x20 if more else 0)) + 48)
    return text
