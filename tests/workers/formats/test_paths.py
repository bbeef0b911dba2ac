"""Lists of paths in files, rows in runs, and what is found in them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.formats import runs
from workers.formats.paths import BLOCK, Keyed, Paths
from workers.formats.runs import Runs

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=4)


@given(st.lists(names, max_size=300))
def test_paths_come_back_as_they_were_given(given_paths: list[str]) -> None:
    paths = Paths(given_paths)

    assert list(paths) == given_paths
    assert [paths[place] for place in range(len(paths))] == given_paths
    assert paths[1:-1] == given_paths[1:-1]


def test_names_that_are_no_text_and_full_blocks_are_kept(tmp_path: Path) -> None:
    given_paths = [f"{number}-\udcff.jpg" for number in range(3 * BLOCK)]

    paths = Paths(given_paths, scratch=tmp_path)

    assert paths[-1] == given_paths[-1]
    assert list(paths) == given_paths
    assert not list(tmp_path.iterdir())
    with pytest.raises(IndexError):
        paths[3 * BLOCK]


@given(st.lists(names, max_size=100), names)
def test_a_key_finds_all_paths_that_have_it_in_their_order(given_paths: list[str], wanted: str) -> None:
    keyed = Keyed(given_paths, str.lower)

    assert keyed.find(wanted) == [place for place, path in enumerate(given_paths) if path.lower() == wanted]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-1, 20), st.integers()), max_size=100), st.integers(1, 8))
def test_rows_come_sorted_by_their_key_and_those_of_one_as_they_came(
    given_rows: list[tuple[int, int]], kept: int
) -> None:
    rows = [(key, value % 1000) for key, value in given_rows]
    written = Runs(2, scratch=None)
    for start in range(0, len(rows), 7):
        written.add(np.array(rows[start : start + 7], np.int64))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "KEPT", kept)
        shares = [list(map(tuple, share.tolist())) for share in written.in_order(20)]

    assert [row for share in shares for row in share] == sorted(
        (row for row in rows if 0 <= row[0] < 20), key=lambda row: row[0]
    )
    assert len({row[0] for share in shares for row in share}) == sum(len({row[0] for row in share}) for share in shares)
