"""Rules for what a mining leaves behind: result.tsv and embeddings.npy."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from schemas.errors import Invalid
from workers.executors.conformance.rules import Breaches
from workers.executors.conformance.trials import Trial
from workers.executors.layout import CANDIDATE_INDEX, MINING_RESULT
from workers.executors.mining_result import read_ranking

EMBEDDINGS: Final = "embeddings.npy"
MATRIX: Final = 2


def mining(trial: Trial) -> Breaches:
    """Return what is wrong with the result of a mining."""
    candidates = (trial.folder.given / CANDIDATE_INDEX).read_text(encoding="utf-8").splitlines()
    return {**_ranking(trial, candidates), **_embeddings(trial, len(candidates)), "mining-accepted": _accepted(trial)}


def _accepted(trial: Trial) -> list[str]:
    assets = {picture.row.image.asset for picture in trial.asked.pictures}
    try:
        read_ranking(trial.folder.made / MINING_RESULT, candidates=assets)
    except Invalid as error:
        return [error.detail]
    return []


def _ranking(trial: Trial, candidates: Sequence[str]) -> Breaches:
    try:
        text = (trial.folder.made / MINING_RESULT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return {"ranking-written": [f"{MINING_RESULT}: {error}."]}
    lines = {number: line.split("\t") for number, line in enumerate(text.splitlines(), start=1) if line.strip()}
    times = Counter(columns[0] for columns in lines.values())
    known = set(candidates)
    return {
        "ranking-written": [],
        "ranking-form": _at(n for n, columns in lines.items() if len(columns) != MATRIX),
        "ranking-paths": _at(n for n, columns in lines.items() if columns[0] not in known),
        "ranking-once": [
            f"{MINING_RESULT}: {path} is there {count} times." for path, count in times.items() if count > 1
        ],
        "ranking-complete": [f"{MINING_RESULT}: {path} is missing." for path in candidates if path not in times],
        **_scores({number: columns[1] for number, columns in lines.items() if len(columns) == MATRIX}),
    }


def _scores(texts: dict[int, str]) -> Breaches:
    scores = {number: _score(text) for number, text in texts.items()}
    known = [(number, score) for number, score in scores.items() if score is not None]
    rising = (number for (_, before), (number, score) in pairwise(known) if score > before)
    return {"ranking-scores": _at(n for n, score in scores.items() if score is None), "ranking-sorted": _at(rising)}


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return score if math.isfinite(score) else None


def _at(numbers: Iterable[int]) -> list[str]:
    return [f"{MINING_RESULT}, line {number}." for number in numbers]


def _embeddings(trial: Trial, candidates: int) -> Breaches:
    path = trial.folder.made / EMBEDDINGS
    if not path.is_file():
        return {}
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        return {"embeddings": [f"{EMBEDDINGS}: {error}."]}
    faults = []
    if rows.ndim != MATRIX or len(rows) != candidates:
        faults.append(f"{EMBEDDINGS}: the shape is {rows.shape}; it must be {candidates} rows of numbers.")
    if not np.issubdtype(rows.dtype, np.floating):
        faults.append(f"{EMBEDDINGS}: the numbers are {rows.dtype}; they must be floats.")
    elif not np.isfinite(rows).all():
        faults.append(f"{EMBEDDINGS}: some numbers are not finite.")
    return {"embeddings": faults}
