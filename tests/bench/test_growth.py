"""How rows grow: what is measured exists, and what was measured is told."""

import inspect
from importlib import import_module
from xml.etree.ElementTree import fromstring

import pytest

from tests.bench.figure import figure
from tests.bench.growth import GROWING, Growing, Peer, seconds_of, table
from tests.bench.row import Measured

ONE = Growing("wait", "a.b", "a.c", 10_000, (Peer("other", ((1_000, 2.0),)),))


@pytest.mark.parametrize("growing", GROWING, ids=lambda growing: growing.measure)
def test_what_grows_names_functions_that_exist(growing: Growing) -> None:
    for function in (growing.measure, growing.needs):
        module, _, name = function.rpartition(".")

        assert inspect.iscoroutinefunction(getattr(import_module(f"tests.bench.{module}"), name))


def test_the_table_has_a_line_for_each_program_and_a_column_for_each_size() -> None:
    lines = table([(ONE, ((1_000, 0.5), (10_000, 5.25)), ((1_000, 0.1),))]).splitlines()

    assert lines[0] == "| work | who | 1,000 | 10,000 |"
    assert lines[2:] == ["| wait | YMIR | 0.5 s | 5.25 s |", "|  | limit | 0.1 s |  |", "|  | other | 2 s |  |"]


def test_the_figure_has_a_curve_for_each_program() -> None:
    drawn = fromstring(figure([(ONE, ((1_000, 0.5), (10_000, 5.0)), ())]))  # noqa: S314 - it is ours

    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 2


def test_a_rate_is_told_as_seconds() -> None:
    rate = Growing("import", "importing.small_voc", "", 1)

    assert seconds_of(rate, Measured(runs=[100.0], peak_mb=1), 1_000) == 10.0
    assert seconds_of(ONE, Measured(runs=[3.0, 1.0, 2.0], peak_mb=1), 1_000) == 2.0
