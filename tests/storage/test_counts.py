"""Counts in words."""

from schemas.counts import counted


def test_one_is_one_and_others_are_many() -> None:
    assert [counted(count, "image") for count in (0, 1, 2_000)] == ["0 images", "1 image", "2,000 images"]
    assert [counted(count, "class", "classes") for count in (1, 2)] == ["1 class", "2 classes"]
