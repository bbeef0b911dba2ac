"""Reconciling: the annotations of one asset on two sides, merged by what each changed since their base."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from schemas.conflicts import ConflictKind, Take
from storage.datasets.inherit import geometry_of, overlaps
from storage.datasets.rows import AnnotationRow, attributes_text

Rows = tuple[AnnotationRow, ...]
SAYS: Final = slice(0, AnnotationRow._fields.index("author"))
"""All but author and id: what an annotation says of the image."""


class Clash(NamedTuple):
    """One annotation that the two sides changed differently; None: it is not there."""

    kind: ConflictKind
    base: AnnotationRow | None
    ours: AnnotationRow | None
    theirs: AnnotationRow | None

    def taken(self, take: Take) -> Rows:
        """Return the annotations that a choice leaves."""
        match take:
            case Take.OURS:
                return _some(self.ours)
            case Take.THEIRS:
                return _some(self.theirs)
            case Take.BASE:
                return _some(self.base)
            case Take.BOTH:
                return (*_some(self.ours), *_some(self._other()))
            case Take.NEITHER:
                return ()

    def edited(self, row: AnnotationRow) -> Rows:
        """Return an annotation in the place of both, under the id that they have."""
        return (row._replace(id=next(side.id for side in (self.ours, self.theirs) if side is not None)),)

    def _other(self) -> AnnotationRow | None:
        """Return that of theirs, without its id where ours has the same."""
        if self.ours is None or self.theirs is None or self.ours.id != self.theirs.id:
            return self.theirs
        return self.theirs._replace(id=None)


class Reconciled(NamedTuple):
    """The annotations of one asset, in order, with a clash wherever somebody has to choose."""

    parts: tuple[AnnotationRow | Clash, ...]
    joined: int
    """How many of theirs are left out because one of ours says the same under another author or id."""

    def clashes(self) -> list[Clash]:
        """Return what is to be settled, in order."""
        return [part for part in self.parts if isinstance(part, Clash)]

    def settled(self, answers: Iterable[Rows]) -> Rows:
        """Return all annotations, each clash in turn replaced by the next answer."""
        given = iter(answers)
        return tuple(row for part in self.parts for row in (next(given) if isinstance(part, Clash) else (part,)))


def reconciled(
    base: Sequence[AnnotationRow],
    ours: Sequence[AnnotationRow],
    theirs: Sequence[AnnotationRow],
    *,
    by_key: bool = False,
) -> Reconciled:
    """Return what two sides make of the annotations of one asset; every row has an id, none of a side twice.

    An annotation is the same on all sides by its id. What one side alone changed, added or removed is so; what both
    changed alike is so; what they changed differently, or one changed and the other removed, clashes. Who is the
    author is no change of what an annotation says. Additions of both sides are one object if they have one id, or
    say the same, or have class and geometry in common, or are of one class and overlap by at least half, best first
    and each once (as ids are inherited): those that say the same are joined, the others clash.
    With ``by_key`` the attributes are merged name by name, and clash only where a name does; then each side of the
    clash has what the other alone changed.
    Ours keep their order; what theirs alone has follows in theirs'.
    """
    before, mine, others = _by_id(base), _by_id(ours), _by_id(theirs)
    twins = _twins(_added(ours, others, before), _added(theirs, mine, before))
    parts: list[AnnotationRow | Clash | None] = []
    joined = 0
    for row in ours:
        other = others.get(row.id) or twins.get(row.id)
        parts.append(_merged(before.get(row.id), row, other, by_key=by_key))
        joined += _is_joined(before.get(row.id), row, other)
    paired = {row.id for row in twins.values()}
    alone = (row for row in theirs if row.id not in mine and row.id not in paired)
    parts.extend(_merged(before.get(row.id), None, row, by_key=by_key) for row in alone)
    return Reconciled(tuple(part for part in parts if part is not None), joined)


def alike(left: AnnotationRow | None, right: AnnotationRow | None) -> bool:
    """Tell whether two annotations say the same, whatever their ids and authors; or neither is there."""
    if left is None or right is None:
        return left is right
    return left[SAYS] == right[SAYS]


def _merged(
    base: AnnotationRow | None, ours: AnnotationRow | None, theirs: AnnotationRow | None, *, by_key: bool
) -> AnnotationRow | Clash | None:
    if alike(ours, theirs):
        return theirs if ours == base else ours
    if alike(ours, base):
        return theirs
    if alike(theirs, base):
        return ours
    if by_key and ours is not None and theirs is not None and _says_all_but_attributes(ours, theirs):
        return _by_key(base, ours, theirs)
    return Clash(_kind(base, ours, theirs), base, ours, theirs)


def _is_joined(base: AnnotationRow | None, ours: AnnotationRow, theirs: AnnotationRow | None) -> bool:
    return theirs is not None and alike(ours, theirs) and ours != theirs and base not in {ours, theirs}


def _kind(base: AnnotationRow | None, ours: AnnotationRow | None, theirs: AnnotationRow | None) -> ConflictKind:
    if base is None:
        return ConflictKind.ADDED
    return ConflictKind.DELETED if ours is None or theirs is None else ConflictKind.EDITED


def _by_key(base: AnnotationRow | None, ours: AnnotationRow, theirs: AnnotationRow) -> AnnotationRow | Clash:
    old, mine, other = (_values(row) for row in (base, ours, theirs))
    left: dict[str, bytes | None] = {}
    right: dict[str, bytes | None] = {}
    for name in sorted({*mine, *other}):
        was, a, b = old.get(name), mine.get(name), other.get(name)
        left[name], right[name] = (b, b) if a == was else (a, a) if b == was else (a, b)
    if left == right:
        return ours._replace(attributes=_text(left))
    sides = ours._replace(attributes=_text(left)), theirs._replace(attributes=_text(right))
    return Clash(_kind(base, ours, theirs), base, *sides)


def _says_all_but_attributes(left: AnnotationRow, right: AnnotationRow) -> bool:
    return alike(left._replace(attributes=""), right._replace(attributes=""))


def _values(row: AnnotationRow | None) -> dict[str, bytes]:
    """Return each attribute as JSON, so that true is not 1."""
    given = orjson.loads(row.attributes) if row is not None and row.attributes else {}
    return {name: orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for name, value in given.items()}


def _text(values: dict[str, bytes | None]) -> str:
    return attributes_text({name: orjson.loads(value) for name, value in values.items() if value is not None})


def _twins(ours: list[AnnotationRow], theirs: list[AnnotationRow]) -> dict[bytes | None, AnnotationRow]:
    """Return, by the id of an addition of ours, the addition of theirs that may be the same object."""
    twins: dict[bytes | None, AnnotationRow] = {}
    for key in (_what_it_says, geometry_of):
        waiting: dict[object, list[AnnotationRow]] = {}
        for row in theirs:
            waiting.setdefault(key(row), []).append(row)
        for row in ours:
            if equals := waiting.get(key(row)):
                twins[row.id] = equals.pop(0)
        ours = [row for row in ours if row.id not in twins]
        paired = {row.id for row in twins.values()}
        theirs = [row for row in theirs if row.id not in paired]
    return twins | _overlapping(ours, theirs)


def _overlapping(ours: list[AnnotationRow], theirs: list[AnnotationRow]) -> dict[bytes | None, AnnotationRow]:
    pairs = [(share, ours[place].id or b"", theirs[other]) for share, place, other in overlaps(ours, theirs)]
    # Between equal overlaps the ids decide, the same whichever side is called ours.
    pairs.sort(key=lambda pair: (-pair[0], *sorted((pair[1], pair[2].id or b""))))
    twins: dict[bytes | None, AnnotationRow] = {}
    taken: set[bytes | None] = set()
    for _, identity, row in pairs:
        if identity not in twins and row.id not in taken:
            twins[identity] = row
            taken.add(row.id)
    return twins


def _what_it_says(row: AnnotationRow) -> object:
    return row[SAYS]


def _added(
    rows: Sequence[AnnotationRow],
    other: dict[bytes | None, AnnotationRow],
    before: dict[bytes | None, AnnotationRow],
) -> list[AnnotationRow]:
    """Return what one side alone has under its id, and the base has not."""
    return [row for row in rows if row.id not in other and row.id not in before]


def _by_id(rows: Sequence[AnnotationRow]) -> dict[bytes | None, AnnotationRow]:
    return {row.id: row for row in rows}


def _some(row: AnnotationRow | None) -> Rows:
    return () if row is None else (row,)
