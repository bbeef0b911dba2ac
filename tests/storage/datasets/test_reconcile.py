"""Three-way merging of one asset's annotations: the law that nothing is dropped silently, and what follows."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from schemas.conflicts import ConflictKind, Take
from storage.datasets.reconcile import Clash, Reconciled, alike, reconciled
from storage.datasets.rows import AnnotationRow

Rows = tuple[AnnotationRow, ...]
Triple = tuple[Rows, Rows, Rows]

TRIPLES = 10_000
CAT = AnnotationRow("cat", (0.0, 0.0, 10.0, 10.0), id=b"c" * 16)
DOG = AnnotationRow("dog", (50.0, 0.0, 10.0, 10.0), id=b"d" * 16)
MOVED = CAT._replace(box=(1.0, 0.0, 10.0, 10.0))
RENAMED = CAT._replace(class_name="ant")


def triples() -> Iterator[Triple]:
    """Yield a base and what two sides made of it, so few places and names that the sides often meet."""
    chance = random.Random(1)
    for _ in range(TRIPLES):
        base = tuple(some_row(chance, number) for number in range(chance.randrange(4)))
        yield base, a_side(chance, base), a_side(chance, base)


def some_row(chance: random.Random, number: int) -> AnnotationRow:
    return AnnotationRow(
        class_name=chance.choice(("cat", "dog")),
        box=(float(chance.choice((0, 2, 4, 40))), 0.0, 10.0, 10.0),
        attributes=chance.choice(("", "", '{"a":1}')),
        author=chance.choice(("", "ann", "bob")),
        id=bytes([number]) * 16,
    )


def a_side(chance: random.Random, base: Rows) -> Rows:
    """Return a base as somebody left it: kept, edited, signed or removed one by one, and some added."""
    rows = [kept for row in base if (kept := an_edit(chance, row)) is not None]
    # Some ids are given by both sides.
    ids = chance.sample((7, 8, 9), chance.randrange(3)) + chance.sample(range(100, 200), chance.randrange(2))
    rows += [some_row(chance, number) for number in ids]
    chance.shuffle(rows)
    return tuple(rows)


def an_edit(chance: random.Random, row: AnnotationRow) -> AnnotationRow | None:
    match chance.randrange(6):
        case 0:
            return None
        case 1:
            return some_row(chance, 0)._replace(id=row.id)
        case 2:
            return row._replace(author="ann")
    return row


def by_id(rows: Sequence[AnnotationRow]) -> dict[bytes | None, AnnotationRow]:
    return {row.id: row for row in rows}


def says(rows: Sequence[AnnotationRow]) -> Counter[object]:
    return Counter(row._replace(id=None, author="") for row in rows)


def kept(merged: Reconciled) -> Rows:
    return tuple(part for part in merged.parts if isinstance(part, AnnotationRow))


def check_nothing_is_dropped(base: Rows, side: Rows, other: Rows, merged: Reconciled) -> None:
    """Assert the law for each annotation of one side.

    It is in the result, or in a clash, or the other side removed or edited what this side left as the base had it;
    or the result has one that says the same and both sides had it: under this id, or added under another.
    """
    before, others, result = by_id(base), by_id(other), kept(merged)
    in_clash = {row for clash in merged.clashes() for row in (clash.ours, clash.theirs) if row is not None}
    for row in side:
        if row in result or row in in_clash:
            continue
        if row.id in before and alike(row, before[row.id]):
            assert not alike(others.get(row.id), before[row.id]) or by_id(result)[row.id] == others[row.id]
        else:
            twins = [one for one in result if alike(one, row) and one in other]
            assert row.id in by_id(twins) or (row.id not in before and any(one.id not in before for one in twins))


def test_of_ten_thousand_triples_nothing_is_dropped_silently() -> None:
    clashes = joined = 0
    for base, ours, theirs in triples():
        merged = reconciled(base, ours, theirs)

        check_nothing_is_dropped(base, ours, theirs, merged)
        check_nothing_is_dropped(base, theirs, ours, merged)
        assert set(kept(merged)) <= {*ours, *theirs}
        # So many as there are of both sides without those that are the same: none is there twice either.
        assert len(by_id(kept(merged))) == len(kept(merged))
        clashes, joined = clashes + len(merged.clashes()), joined + merged.joined

    assert clashes > TRIPLES / 10
    assert joined > TRIPLES / 100


def test_what_is_left_out_without_being_told_of_was_removed_by_somebody_or_is_counted_as_joined() -> None:
    for base, ours, theirs in triples():
        merged = reconciled(base, ours, theirs)

        told = {row.id for clash in merged.clashes() for row in clash[1:] if isinstance(row, AnnotationRow)}
        gone = {row.id for row in (*ours, *theirs)} - set(by_id(kept(merged))) - told
        removed = {row.id for row in base} - ({row.id for row in ours} & {row.id for row in theirs})
        assert len(gone - removed) <= merged.joined


def test_sides_that_are_swapped_come_to_the_same() -> None:
    for base, ours, theirs in triples():
        there, back = reconciled(base, ours, theirs), reconciled(base, theirs, ours)

        assert says(kept(there)) == says(kept(back))
        assert Counter(there.clashes()) == Counter(
            Clash(clash.kind, clash.base, clash.theirs, clash.ours) for clash in back.clashes()
        )


def test_a_merge_with_itself_is_the_identity_whatever_the_base() -> None:
    for base, ours, _ in triples():
        assert reconciled(base, ours, ours) == Reconciled(ours, 0)


def test_what_one_side_alone_changed_is_so() -> None:
    for base, side, _ in triples():
        assert set(kept(reconciled(base, base, side))) == set(side)
        assert reconciled(base, side, base) == Reconciled(side, 0)


def test_merging_what_was_settled_again_has_no_conflict() -> None:
    for base, ours, theirs in triples():
        merged = reconciled(base, ours, theirs)

        settled = merged.settled(clash.taken(Take.OURS) for clash in merged.clashes())

        assert not reconciled(ours, settled, ours).clashes()


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ([CAT], [MOVED], [CAT], [MOVED]),
        ([CAT], [CAT], [], []),
        ([CAT], [MOVED], [MOVED], [MOVED]),
        ([CAT], [], [], []),
        ([], [CAT], [DOG], [CAT, DOG]),
        ([CAT], [CAT, DOG], [MOVED], [MOVED, DOG]),
        ([CAT, DOG], [DOG], [CAT], []),
    ],
)
def test_what_does_not_clash_is_merged(
    base: list[AnnotationRow], ours: list[AnnotationRow], theirs: list[AnnotationRow], expected: list[AnnotationRow]
) -> None:
    assert reconciled(base, ours, theirs) == Reconciled(tuple(expected), 0)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "kind"),
    [
        ([CAT], [MOVED], [RENAMED], ConflictKind.EDITED),
        ([CAT], [MOVED], [], ConflictKind.DELETED),
        ([CAT], [], [MOVED], ConflictKind.DELETED),
        ([], [CAT], [MOVED], ConflictKind.ADDED),
        ([], [CAT], [MOVED._replace(id=b"m" * 16)], ConflictKind.ADDED),
        ([], [CAT], [CAT._replace(id=b"m" * 16, attributes='{"a":1}')], ConflictKind.ADDED),
    ],
)
def test_what_was_changed_differently_clashes(
    base: list[AnnotationRow], ours: list[AnnotationRow], theirs: list[AnnotationRow], kind: ConflictKind
) -> None:
    [clash] = reconciled(base, ours, theirs).parts

    assert clash == Clash(kind, *(rows[0] if rows else None for rows in (base, ours, theirs)))


@pytest.mark.parametrize(
    "twin",
    [CAT._replace(box=(5.0, 0.0, 10.0, 10.0)), CAT._replace(class_name="dog"), CAT._replace(rotation=1.0, box=None)],
)
def test_additions_of_another_class_or_hardly_overlapping_are_two_objects(twin: AnnotationRow) -> None:
    twin = twin._replace(id=b"t" * 16)

    assert reconciled([], [CAT], [twin]) == Reconciled((CAT, twin), 0)


def test_the_same_object_added_twice_is_one_and_is_counted() -> None:
    twin = CAT._replace(id=b"t" * 16, author="bob")

    assert reconciled([], [CAT, DOG], [twin]) == Reconciled((CAT, DOG), 1)


def test_a_signature_is_no_edit() -> None:
    signed = CAT._replace(author="ann")

    assert reconciled([CAT], [signed], []) == Reconciled((), 0)
    assert reconciled([CAT], [signed], [MOVED]) == Reconciled((MOVED,), 0)
    assert reconciled([CAT], [CAT], [signed]) == Reconciled((signed,), 0)


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        (Take.OURS, [MOVED]),
        (Take.THEIRS, [RENAMED]),
        (Take.BASE, [CAT]),
        (Take.NEITHER, []),
        (Take.BOTH, [MOVED, RENAMED._replace(id=None)]),
    ],
)
def test_a_clash_is_settled_as_is_answered_and_keeps_its_place(take: Take, expected: list[AnnotationRow]) -> None:
    merged = reconciled([CAT], [MOVED, DOG], [RENAMED])

    settled = merged.settled(clash.taken(take) for clash in merged.clashes())

    assert settled == (*expected, DOG)


def test_both_of_an_edit_and_a_removal_is_the_edit_and_an_edited_answer_keeps_the_id() -> None:
    [clash] = reconciled([CAT], [], [MOVED]).clashes()

    assert clash.taken(Take.BOTH) == (MOVED,)
    assert clash.edited(RENAMED._replace(id=None)) == (RENAMED,)


def test_attributes_are_merged_by_name_and_clash_only_where_a_name_does() -> None:
    def row(attributes: str) -> AnnotationRow:
        return AnnotationRow(attributes=attributes, id=b"a" * 16)

    apart = reconciled([row('{"c":1,"d":1}')], [row('{"a":1,"d":1}')], [row('{"b":true,"c":1,"d":1}')], by_key=True)
    [clash] = reconciled([], [row('{"a":1,"b":2}')], [row('{"a":true,"c":3}')], by_key=True).parts

    assert apart == Reconciled((row('{"a":1,"b":true,"d":1}'),), 0)
    assert clash == Clash(ConflictKind.ADDED, None, row('{"a":1,"b":2,"c":3}'), row('{"a":true,"b":2,"c":3}'))
