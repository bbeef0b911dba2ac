"""The rows of the benchmark name functions that exist, and judge what was measured by their budgets."""

import inspect
from importlib import import_module

import pytest

from tests.bench.catalogue import ROWS
from tests.bench.row import FULL, QUICK, USUAL, Measured, Row, Size, Unit
from tests.bench.table import line, record, titled, verdict

SECONDS = Row(work="wait", measure="a.b", budget=1.0, memory_mb=100)
RATE = Row(work="count", measure="a.b", unit=Unit.TASKS_A_SECOND, budget=500)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.measure)
def test_a_row_names_functions_that_exist(row: Row) -> None:
    for function in filter(None, (row.measure, row.needs)):
        module, _, name = function.rpartition(".")

        assert inspect.iscoroutinefunction(getattr(import_module(f"tests.bench.{module}"), name))


@pytest.mark.parametrize("size", [USUAL, QUICK, FULL])
def test_no_two_rows_have_the_same_title(size: Size) -> None:
    titles = [titled(row, size) for row in ROWS]

    assert len(set(titles)) == len(ROWS)


@pytest.mark.parametrize(
    ("row", "measured", "expected"),
    [
        (SECONDS, Measured(runs=[0.5, 0.9, 9.0], peak_mb=50), "met"),
        (SECONDS, Measured(runs=[0.5, 1.1, 1.2], peak_mb=50), "MISSED"),
        (SECONDS, Measured(runs=[0.5], peak_mb=101), "MISSED"),
        (SECONDS, Measured(runs=[0.5], peak_mb=50, wrong="not equal"), "MISSED"),
        (RATE, Measured(runs=[501.0], peak_mb=50), "met"),
        (RATE, Measured(runs=[499.0], peak_mb=50), "MISSED"),
    ],
)
def test_a_budget_is_met_by_the_median_the_memory_and_the_truth(row: Row, measured: Measured, expected: str) -> None:
    assert verdict(row, measured) == expected
    assert expected in line(row, USUAL, measured)
    assert record(row, USUAL, measured)["verdict"] == expected
