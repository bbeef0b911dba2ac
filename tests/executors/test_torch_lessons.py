"""What the executor with PyTorch is taught: pictures changed by lot, rare classes, and which place says what."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.executors.test_torch_detector import needs_torch
from torch_detector.annotations import Truth
from torch_detector.augment import Augmentation, augmented, plain
from torch_detector.balance import MOST, times_shown
from torch_detector.boxes import kept_by_suppression

BOX = np.array([[30, 40, 70, 60]], np.float32)
SIDE = 128


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("drawn") / "bar.png"
    image = Image.new("RGB", (150, 100))
    ImageDraw.Draw(image).rectangle((30, 40, 69, 59), fill=(255, 255, 255))
    image.save(path)
    return str(path)


def _bright(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[float]:
    """Return the box of what is brighter than anything that pads a picture."""
    rows, columns = np.nonzero(pixels.min(axis=2) > 180)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def _truth(*classes: int) -> Truth:
    boxes = np.tile(BOX, (len(classes), 1)).reshape(-1, 4)
    return Truth(boxes, np.array(classes, np.int64))


@pytest.mark.parametrize("seed", range(20))
def test_boxes_stay_on_their_objects_however_a_picture_is_changed(seed: int, drawn: str) -> None:
    how = Augmentation(flip=0.5, scale_jitter=0.6, colour_jitter=0.2)
    rng = np.random.default_rng(seed)

    view = augmented(drawn, _truth(0), image_size=SIDE, side=SIDE, how=how, rng=rng)

    assert view.pixels.shape == (SIDE, SIDE, 3)
    for box in view.truth.boxes:
        assert _bright(view.pixels) == pytest.approx(box, abs=2)


def test_a_picture_as_it_is_says_how_to_get_back_to_its_own_pixels(drawn: str) -> None:
    view = plain(drawn, _truth(0), image_size=SIDE, side=SIDE)

    across, down = view.shrunk
    assert (view.width, view.height) == (150, 100)
    assert view.truth.boxes[0] / [across, down, across, down] == pytest.approx(BOX[0])
    assert _bright(view.pixels) == pytest.approx(view.truth.boxes[0], abs=1)


def test_what_is_mostly_cut_off_is_no_lesson(drawn: str) -> None:
    how = Augmentation(flip=0, scale_jitter=1.5, colour_jitter=0)
    views = [
        augmented(drawn, _truth(0), image_size=SIDE, side=SIDE, how=how, rng=np.random.default_rng(seed))
        for seed in range(60)
    ]

    assert {len(view.truth.boxes) for view in views} == {0, 1}
    assert all(view.truth.boxes.min(initial=0) >= 0 and view.truth.boxes.max(initial=0) <= SIDE for view in views)


def test_images_of_rare_classes_are_shown_more_often_and_empty_ones_less() -> None:
    truths = [*[_truth(0, 0)] * 90, *[_truth(0, 1)] * 2, _truth()]

    times = times_shown(truths, classes=3)

    assert set(times[:90]) == {1.0}
    assert set(times[90:92]) == {MOST}
    assert times[92] < 1


def test_of_boxes_that_overlap_the_best_of_each_class_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)

    kept = kept_by_suppression(boxes, np.array([0, 0, 1, 0]), iou=0.5, most=10)

    assert list(kept) == [0, 2, 3]
    assert list(kept_by_suppression(boxes, np.array([0, 0, 1, 0]), iou=0.5, most=2)) == [0, 2]


@needs_torch
@settings(max_examples=50, deadline=None)
@given(st.floats(0, 120), st.floats(0, 120), st.floats(1, 120), st.floats(1, 120), st.sampled_from([4, 8]))
def test_every_box_alone_is_learnt_somewhere_near_its_centre(
    x: float, y: float, width: float, height: float, stride: int
) -> None:
    import torch  # noqa: PLC0415 - an extra that may be absent

    from torch_detector.network import Shape, places_of  # noqa: PLC0415 - as above
    from torch_detector.targets import Labels, owners  # noqa: PLC0415 - as above

    right, bottom = min(x + width, SIDE), min(y + height, SIDE)
    places = places_of(Shape(1, stride, 8, 1), side=SIDE)

    owned = owners(Labels(torch.tensor([[x, y, right, bottom]]), torch.tensor([0])), places) == 0

    assert owned.any()
    away = (places.centres[owned] - torch.tensor([(x + right) / 2, (y + bottom) / 2])).abs()
    assert (away <= 1.5 * places.strides[owned][:, None] + 1e-3).all()


@needs_torch
def test_of_two_boxes_around_a_place_the_smaller_is_learnt_there() -> None:
    import torch  # noqa: PLC0415 - an extra that may be absent

    from torch_detector.network import Shape, places_of  # noqa: PLC0415 - as above
    from torch_detector.targets import Labels, owners  # noqa: PLC0415 - as above

    boxes = torch.tensor([[40.0, 40, 64, 64], [44, 44, 60, 60]])

    owned = owners(Labels(boxes, torch.tensor([0, 1])), places_of(Shape(2, 8, 8, 1), side=SIDE))

    assert (owned == 1).any()
    assert not ((owned == 0) & (places_of(Shape(2, 8, 8, 1), side=SIDE).centres - 52).abs().amax(dim=1).le(8)).any()
