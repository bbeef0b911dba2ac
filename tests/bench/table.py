"""The table as it is printed, one line for each row as soon as it is measured."""

from statistics import median
from typing import Final

from tests.bench.row import Measured, Row, Size

WORK: Final = 60
HEAD: Final = f"{'work':{WORK}} {'median':>9} {'min..max':>17} {'unit':8} {'budget':>8} {'':6} {'MB':>5} {'limit':>7}"
DETAIL: Final = "    "


def line(row: Row, size: Size, measured: Measured) -> str:
    """Return the line of a row, and what else there is to say of it on lines of its own."""
    spread = f"{figure(min(measured.runs))}..{figure(max(measured.runs))}"
    budget = "" if row.budget is None else figure(row.budget)
    limit = figure(median(measured.limit)) if measured.limit else ""
    first = (
        f"{titled(row, size):{WORK}} {figure(median(measured.runs)):>9} {spread:>17} {row.unit:8} {budget:>8} "
        f"{verdict(row, measured):6} {measured.peak_mb:5.0f} {limit:>7}"
    )
    more = [measured.told, measured.wrong and f"WRONG: {measured.wrong}", row.peers and f"recorded: {row.peers}"]
    return "\n".join([first, *(DETAIL + text for text in more if text)])


def titled(row: Row, size: Size) -> str:
    """Return what a row does at a size."""
    return row.work.format(**size._asdict())


def verdict(row: Row, measured: Measured) -> str:
    """Return whether the budgets for the median, for memory and for what must be true are met."""
    if row.budget is None:
        return ""
    middle = median(measured.runs)
    met = middle >= row.budget if row.unit.is_rate else middle <= row.budget
    fits = row.memory_mb is None or measured.peak_mb <= row.memory_mb
    return "met" if met and fits and not measured.wrong else "MISSED"


def figure(value: float) -> str:
    """Return a number with three digits that matter."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def record(row: Row, size: Size, measured: Measured) -> dict[str, object]:
    """Return a row as it stands in ``bench.json``."""
    return {
        "work": titled(row, size),
        "unit": row.unit,
        "budget": row.budget,
        "memory_budget_mb": row.memory_mb,
        "verdict": verdict(row, measured),
        "median": median(measured.runs),
        "runs": measured.runs,
        "peak_mb": measured.peak_mb,
        "limit": measured.limit,
        "told": measured.told,
        "wrong": measured.wrong,
        "peers": row.peers,
        "more_is_better": row.unit.is_rate,
    }
