"""Labels that are likely wrong: where a sure model and the ground truth disagree, as rows of a Parquet file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.evaluations import ErrorKind, Figures
from workers.evaluation.across import Remainder, Side
from workers.evaluation.arrow import fixed
from workers.evaluation.matching import NOTHING, Bools, Floats, Ints

ERRORS_AT_MOST: Final = 100_000
DIGITS: Final = 6
KINDS: Final = tuple(ErrorKind)


class Suspects(NamedTuple):
    """Labels of one kind of error: ground truth and prediction of each, -1 where there is none."""

    kind: ErrorKind
    truth: Ints
    prediction: Ints
    overlap: Floats
    score: Floats


def write_label_errors(
    path: Path, left: Remainder, *, classes: Sequence[str], figures: Sequence[Figures], raw_ids: NDArray[np.uint8]
) -> int:
    """Write the likeliest errors, the worst first, and return how many there are in all.

    What the model is sure of counts as its confidence: all of it where nothing is labeled (overlooked), as far as the
    boxes agree where another class is (swapped), as far as they do not where the same is (misplaced). A label that
    no prediction comes near (spurious) counts as the share of its class that the model finds.
    """
    found = suspects(left, recalls=np.array([one.recall or 0.0 for one in figures]))
    score = np.concatenate([some.score for some in found])
    kind = np.concatenate([np.full(len(some.score), KINDS.index(some.kind)) for some in found])
    truth, prediction, overlap = (
        np.concatenate([getattr(some, name) for some in found]) for name in ("truth", "prediction", "overlap")
    )
    image = np.where(truth == NOTHING, _at(left.predictions.image, prediction), _at(left.truths.image, truth))
    order = np.lexsort((prediction, truth, image, -score))[:ERRORS_AT_MOST]
    truth, prediction = truth[order], prediction[order]
    columns = {
        "kind": pa.DictionaryArray.from_arrays(
            pa.array(kind[order], pa.int32()), pa.array([str(one) for one in KINDS])
        ),
        "score": pa.array(np.round(score[order], DIGITS)),
        "asset": fixed(raw_ids[image[order]]),
        **_named("annotation", "class_name", left.truths, truth, classes),
        **_named("prediction", "predicted_class", left.predictions, prediction, classes),
        "iou": pa.array(np.round(overlap[order], DIGITS), mask=(truth == NOTHING) | (prediction == NOTHING)),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
    return len(score)


def suspects(left: Remainder, *, recalls: Floats) -> list[Suspects]:
    """Return the labels that are likely wrong, by kind; recalls are those of the classes."""
    truths, predictions = left.truths, left.predictions
    overlooked = np.flatnonzero(predictions.astray & ~left.is_known)
    spurious = np.flatnonzero(truths.astray & ~left.is_touched)
    sure = predictions.score.astype(np.float64)
    swapped, near = left.swapped, left.near
    return [
        Suspects(ErrorKind.OVERLOOKED, _none(overlooked), overlooked, np.zeros(len(overlooked)), sure[overlooked]),
        Suspects(ErrorKind.SWAPPED, *swapped, sure[swapped.prediction] * swapped.overlap),
        Suspects(ErrorKind.MISPLACED, *near, sure[near.prediction] * (1 - near.overlap)),
        Suspects(
            ErrorKind.SPURIOUS, spurious, _none(spurious), np.zeros(len(spurious)), recalls[truths.code[spurious]]
        ),
    ]


def _none(others: Ints) -> Ints:
    return np.full(len(others), NOTHING, np.int64)


def _at(values: NDArray[np.int32], places: Ints) -> Ints:
    return values[np.maximum(places, 0)].astype(np.int64) if len(values) else np.zeros(len(places), np.int64)


def _named(identity: str, class_name: str, side: Side, places: Ints, classes: Sequence[str]) -> dict[str, pa.Array]:
    known: Bools = places != NOTHING
    ids = np.zeros((len(places), 16), np.uint8)
    ids[known] = side.ids[places[known]]
    codes = pa.array(_at(side.code, places).astype(np.int32), mask=~known)
    names = pa.DictionaryArray.from_arrays(codes, pa.array(list(classes), pa.string()))
    return {identity: fixed(ids, known=known), class_name: names}
