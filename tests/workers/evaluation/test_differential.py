"""The figures are those of COCO's own evaluation, on data made to provoke every rule of it."""

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.evaluations import Figures
from workers.evaluation.matching import Objects, match
from workers.evaluation.precision import THRESHOLDS, class_figures, judged, mean_figures

Truth = tuple[int, int, tuple[float, ...], bool]
Found = tuple[int, int, tuple[float, ...], float]

IMAGES, CLASSES = 6, 3
# Few places, sizes and scores, so that ties of all kinds happen.
side = st.integers(1, 6).map(lambda length: length * 4.0)
place = st.integers(0, 5).map(lambda start: start * 3.0)
box = st.tuples(place, place, side, side)
truth = st.tuples(st.integers(0, IMAGES - 1), st.integers(0, CLASSES - 1), box, st.booleans())
found = st.tuples(st.integers(0, IMAGES - 1), st.integers(0, CLASSES - 1), box, st.sampled_from([0.1, 0.5, 0.5, 0.9]))


def objects(rows: list[Truth] | list[Found], class_index: int, *, are_truths: bool) -> Objects:
    mine = sorted((row for row in rows if row[1] == class_index), key=lambda row: row[0])
    return Objects.of_boxes(
        np.array([row[0] for row in mine], np.int64),
        np.array([row[2] for row in mine], np.float64).reshape(-1, 4),
        np.array([are_truths and row[3] for row in mine], np.bool_),
        np.array([0.0 if are_truths else row[3] for row in mine]),
    )


def ours(truths: list[Truth], finds: list[Found], at_most: int) -> list[Figures]:
    figures = []
    for class_index in range(CLASSES):
        expected = objects(truths, class_index, are_truths=True)
        predicted = objects(finds, class_index, are_truths=False)
        matches = match(expected, predicted, thresholds=np.append(THRESHOLDS, 0.5), at_most=at_most)
        figures.append(class_figures(judged(expected, predicted, matches), confidence=0.3))
    return figures


def theirs(truths: list[Truth], finds: list[Found], at_most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision (thresholds, recalls, classes) and recall (thresholds, classes); -1 where there is none."""
    annotations = [
        {
            "id": number,
            "image_id": image + 1,
            "category_id": class_index + 1,
            "bbox": list(sides),
            "area": sides[2] * sides[3],
            "iscrowd": int(crowd),
        }
        for number, (image, class_index, sides, crowd) in enumerate(truths, start=1)
    ]
    expected = COCO(
        {
            "images": [{"id": image + 1, "width": 100, "height": 100} for image in range(IMAGES)],
            "categories": [{"id": class_index + 1, "name": str(class_index)} for class_index in range(CLASSES)],
            "annotations": annotations,
        }
    )
    predicted = expected.loadRes(
        [
            {"image_id": image + 1, "category_id": class_index + 1, "bbox": list(sides), "score": score}
            for image, class_index, sides, score in finds
        ]
    )
    evaluation = COCOeval_faster(expected, predicted, "bbox", print_function=lambda *_: None)
    evaluation.params.maxDets = [1, 2, at_most] if at_most > 2 else [at_most] * 3
    evaluation.evaluate()
    evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"]).reshape(10, 101, CLASSES, 4, 3)[:, :, :, 0, 2]
    recall = np.asarray(evaluation.eval["recall"]).reshape(10, CLASSES, 4, 3)[:, :, 0, 2]
    return precision, recall


@pytest.mark.parametrize("at_most", [100, 3])
@settings(max_examples=150, deadline=None)
@given(truths=st.lists(truth, min_size=1, max_size=30), finds=st.lists(found, min_size=1, max_size=40))
def test_figures_equal_those_of_coco(at_most: int, truths: list[Truth], finds: list[Found]) -> None:
    figures = ours(truths, finds, at_most)

    precision, recall = theirs(truths, finds, at_most)
    for class_index, one in enumerate(figures):
        mine = precision[:, :, class_index]
        if one.ap is None:
            assert mine.max() == -1
            continue
        assert one.ap == pytest.approx(mine.mean(), abs=1e-9)
        assert one.ap50 == pytest.approx(mine[0].mean(), abs=1e-9)
        assert one.ap75 == pytest.approx(mine[5].mean(), abs=1e-9)
        assert one.ar == pytest.approx(recall[:, class_index].mean(), abs=1e-9)
    measured = precision[precision > -1]
    assert mean_figures(figures).ap == (pytest.approx(measured.mean(), abs=1e-9) if len(measured) else None)


def test_figures_equal_those_of_coco_on_crowded_images() -> None:
    random = np.random.default_rng(5)
    boxes = [tuple(map(float, (*random.integers(0, 60, 2), *random.integers(3, 40, 2)))) for _ in range(1_500)]
    places = random.integers(0, IMAGES, 1_500).tolist()
    truths = [(places[n], n % CLASSES, boxes[n], n % 17 == 0) for n in range(500)]
    finds = [(places[n % 500], n % CLASSES, boxes[n], float(random.random())) for n in range(500, 1_500)]
    finds += [(image, index, boxes[n], 0.25) for n, (image, index, _, _) in enumerate(truths) if n % 3]

    mean = mean_figures(ours(truths, finds, 100))

    precision, recall = theirs(truths, finds, 100)
    assert mean.ap == pytest.approx(precision.mean(), abs=1e-9)
    assert mean.ar == pytest.approx(recall.mean(), abs=1e-9)
