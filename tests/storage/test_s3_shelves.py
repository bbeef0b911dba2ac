"""What lies on the shelves of a bucket, listed when many blobs of a shelf are asked for."""

from collections.abc import Iterator

import pytest
from minio.datatypes import Object

from storage.s3_shelves import LISTED, ONE_BY_ONE, Lying, Shelves
from tests.factories import NOON

THERE = Lying(3, NOON)


class Bucket:
    """Objects by name, and how often they were listed."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.listed: list[str] = []

    def listing(self, prefix: str) -> Iterator[Object]:
        self.listed.append(prefix)
        found = [name for name in self.names if name.startswith(prefix)]
        yield from (Object("bucket", name, size=3, last_modified=NOON) for name in found)


def asked_often(shelves: Shelves, name: str) -> None:
    for _ in range(ONE_BY_ONE):
        with pytest.raises(LookupError):
            shelves.find(name)


def test_a_few_blobs_are_asked_for_one_by_one() -> None:
    bucket = Bucket("p/aa/1")
    shelves = Shelves(bucket.listing)

    asked_often(shelves, "p/aa/1")

    assert bucket.listed == []


def test_a_shelf_that_is_asked_for_often_is_listed_once() -> None:
    bucket = Bucket("p/aa/1", "p/ab/2")
    shelves = Shelves(bucket.listing)
    asked_often(shelves, "p/aa/1")

    found = [shelves.find(name) for name in ("p/aa/1", "p/aa/2", "p/aa/1")]

    assert found == [THERE, None, THERE]
    assert bucket.listed == ["p/aa/"]


def test_a_long_shelf_is_never_known() -> None:
    bucket = Bucket(*(f"p/aa/{number}" for number in range(LISTED + 1)))
    shelves = Shelves(bucket.listing)
    asked_often(shelves, "p/aa/1")

    for _ in range(3):
        with pytest.raises(LookupError):
            shelves.find("p/aa/1")

    assert bucket.listed == ["p/aa/"]


def test_what_is_sent_is_known_and_what_is_removed_is_asked_for() -> None:
    bucket = Bucket()
    shelves = Shelves(bucket.listing)
    asked_often(shelves, "p/aa/1")
    assert shelves.find("p/aa/1") is None

    shelves.put("p/aa/1", THERE)
    assert shelves.find("p/aa/1") == THERE
    shelves.forget("p/aa/1")

    asked_often(shelves, "p/aa/1")


def test_what_was_listed_is_forgotten_after_a_minute() -> None:
    seconds = [0.0]
    shelves = Shelves(Bucket("p/aa/1").listing, monotonic=lambda: seconds[0])
    asked_often(shelves, "p/aa/1")
    assert shelves.find("p/aa/1") == THERE

    seconds[0] = 61.0

    asked_often(shelves, "p/aa/1")
