"""result.tsv: the candidates in the order in which a mining wants them, checked."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import Fault, Invalid
from workers.executors.layout import MINING_RESULT

FAULTS_TOLD: Final = 1_000
NEXT_STEP: Final = "Have the executor write '<path as in the index>TAB<score>' for every candidate, best first."


class Pick(NamedTuple):
    """One candidate and how much it is wanted."""

    asset: bytes
    score: float


class Ranking(NamedTuple):
    """Candidates in the executor's order, and what was odd about it."""

    picks: tuple[Pick, ...]
    warnings: tuple[str, ...]


def read_ranking(path: Path, *, candidates: Collection[bytes]) -> Ranking:
    """Return what ``result.tsv`` says; raise Invalid naming every line that breaks a rule."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise Invalid(f"The executor did not write {MINING_RESULT}.", step=NEXT_STEP) from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{MINING_RESULT} is not UTF-8: {error.reason}.", step=NEXT_STEP) from error
    picks: dict[bytes, float] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            fault = _take(line, picks, candidates)
            if fault and len(faults) < FAULTS_TOLD:
                faults.append(Fault(fault, f"{MINING_RESULT}, line {number}"))
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", step=NEXT_STEP, faults=faults)
    ranking = tuple(Pick(asset, score) for asset, score in picks.items())
    return Ranking(ranking, _warnings(ranking))


def asset_in(name: str) -> bytes | None:
    """Return the asset that a file is named after (``…/<64 hex>.<ext>``), or None."""
    stem = name.rpartition("/")[2].partition(".")[0]
    try:
        asset = bytes.fromhex(stem)
    except ValueError:
        return None
    return asset if len(asset) == 32 else None  # noqa: PLR2004 - the bytes of a SHA-256


def _take(line: str, picks: dict[bytes, float], candidates: Collection[bytes]) -> str:
    """Add the pick of a line; return what is wrong with it, or an empty text."""
    name, tab, text = line.partition("\t")
    asset = asset_in(name)
    if not tab:
        return "A line is a path, a tab and a score."
    if asset is None or asset not in candidates:
        return f"{name!r} is not among the candidates."
    if asset in picks:
        return f"{name!r} is there twice."
    try:
        score = float(text)
    except ValueError:
        return f"The score {text!r} is no number."
    if not math.isfinite(score):
        return f"The score must be finite, not {text!r}."
    picks[asset] = score
    return ""


def _warnings(picks: tuple[Pick, ...]) -> tuple[str, ...]:
    for position in range(1, len(picks)):
        if picks[position].score > picks[position - 1].score:
            where = f"{MINING_RESULT}, entry {position + 1}"
            return (f"{where}: the scores are not in descending order; the order of the file was kept.",)
    return ()
