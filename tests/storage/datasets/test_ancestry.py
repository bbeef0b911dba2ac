"""The nearest version that two have in common."""

import random
from collections.abc import Mapping, Sequence

import pytest

from schemas.blobs import BlobRef
from schemas.datasets import Version, VersionCounts
from schemas.errors import Invalid
from schemas.schema import digest_of
from storage.datasets import ancestry
from storage.datasets.ancestry import nearest_common
from storage.datasets.library import Kept
from storage.ports import Database
from tests.factories import PROJECT, a_kept_version

KEPT = Kept(digest_of(b""), BlobRef(digest=digest_of(b""), size=0), VersionCounts())


async def history(database: Database, parents: Mapping[int, Sequence[int]]) -> dict[int, Version]:
    """Keep versions numbered as given, and return them by number."""
    found = {
        number: a_kept_version(
            KEPT,
            project=PROJECT,
            dataset="line",
            number=number,
            id=f"{number:032x}",
            parents=tuple(f"{parent:032x}" for parent in olds),
        )
        for number, olds in parents.items()
    }
    await database.documents(Version).add_many(list(found.values()))
    return found


async def nearest(database: Database, parents: Mapping[int, Sequence[int]], ours: int, theirs: int) -> int:
    found = await history(database, parents)
    return (await nearest_common(found[ours], found[theirs], database.documents(Version))).number


@pytest.mark.parametrize(
    ("parents", "ours", "theirs", "expected"),
    [
        ({1: [], 2: [1], 3: [1]}, 2, 3, 1),
        ({1: [], 2: [1], 3: [2]}, 2, 3, 2),
        ({1: [], 2: [1]}, 2, 2, 2),
        ({1: [], 2: [1], 3: [2], 4: [2], 5: [3, 1], 6: [4, 1]}, 5, 6, 2),
        # The old one is met sooner on both ways.
        ({1: [], 2: [1], 3: [2], 4: [3], 5: [4, 1], 6: [4, 1]}, 5, 6, 4),
        ({1: [], 2: [1], 3: [2], 4: [3], 5: [4], 6: [5, 1], 7: [1, 4]}, 6, 7, 4),
        ({1: [], 2: [1, 99], 3: [1]}, 2, 3, 1),
    ],
)
async def test_the_nearest_is_no_ancestor_of_another(
    database: Database, parents: dict[int, list[int]], ours: int, theirs: int, expected: int
) -> None:
    assert await nearest(database, parents, ours, theirs) == expected


async def test_several_are_all_named(database: Database) -> None:
    crossed = {1: [], 2: [1], 3: [1], 4: [2, 3], 5: [3, 2]}

    with pytest.raises(Invalid, match="2 nearest") as caught:
        await nearest(database, crossed, 4, 5)

    assert [fault.detail[:6] for fault in caught.value.faults] == ["line@2", "line@3"]


async def test_lines_without_anything_in_common_need_a_base(database: Database) -> None:
    with pytest.raises(Invalid, match="no ancestor in common") as caught:
        await nearest(database, {1: [], 2: [1], 3: []}, 2, 3)

    assert "base" in caught.value.step


async def test_a_walk_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "WALKED_AT_MOST", 20)
    long = {1: [], **{number: [number - 1] for number in range(2, 30)}, 30: [1], 31: []}

    with pytest.raises(Invalid, match="more than 20 versions"):
        await nearest(database, long, 29, 31)


async def test_any_history_has_the_nearest_ancestors_that_a_full_walk_finds(database: Database) -> None:
    chance = random.Random(3)
    parents = {
        number: chance.sample(range(max(1, number - 6), number), min(number - 1, chance.choice((0, 1, 1, 2))))
        for number in range(1, 120)
    }
    found = await history(database, parents)

    def ancestors(number: int) -> set[int]:
        return {number}.union(*(ancestors(parent) for parent in parents[number]))

    for _ in range(150):
        ours, theirs = chance.sample(range(1, 120), 2)
        common = ancestors(ours) & ancestors(theirs)
        expected = sorted(one for one in common if not any(one != two and one in ancestors(two) for two in common))
        try:
            seen = [(await nearest_common(found[ours], found[theirs], database.documents(Version))).number]
        except Invalid as error:
            seen = [int(fault.detail.split()[0].partition("@")[2]) for fault in error.faults]
        assert seen == expected
