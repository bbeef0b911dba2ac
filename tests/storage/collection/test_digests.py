"""A set of digests on disk."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.schema import digest_of
from storage.clock import utc_now
from storage.collection import digests
from storage.collection.digests import Digests
from storage.ports import StoredBlob


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "WAITING_BYTES", 100)


@given(st.lists(st.integers(0, 200)), st.lists(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_what_was_added_one_by_one_or_together_is_not_missing(
    tmp_path_factory: pytest.TempPathFactory, alone: list[int], together: list[int], asked: set[int]
) -> None:
    names = Digests(tmp_path_factory.mktemp("digests"))

    for number in alone:
        names.add(digest(number))
    if together:
        names.add_all(np.array([list(bytes.fromhex(digest(number)[7:])) for number in together], dtype=np.uint8))

    missing = {blob.digest for blob in names.missing([blob(number) for number in asked])}
    assert missing == {digest(number) for number in asked - {*alone, *together}}


def test_what_is_added_after_a_look_is_found(tmp_path: Path) -> None:
    names = Digests(tmp_path)
    names.add(digest(1))
    before = names.missing([blob(1), blob(2)])

    names.add(digest(2))

    assert [one.digest for one in before] == [digest(2)]
    assert names.missing([blob(1), blob(2)]) == []


def digest(number: int) -> str:
    return digest_of(b"%d" % number)


def blob(number: int) -> StoredBlob:
    return StoredBlob(digest(number), 1, utc_now())
