"""Ancestry: the nearest version that two lines of work have in common."""

from typing import Final

from schemas.datasets import Version
from schemas.errors import Fault, Invalid
from schemas.problems import FAULTS_SHOWN
from schemas.schema import Id
from storage.ports import Documents

WALKED_AT_MOST: Final = 10_000
STEP: Final = "Name one as base."
_OURS: Final = 1
_THEIRS: Final = 2
_BOTH: Final = _OURS | _THEIRS
_BEHIND: Final = 4
"""An ancestor of one that is an ancestor of both."""


async def nearest_common(ours: Version, theirs: Version, versions: Documents[Version]) -> Version:
    """Return the version that both were made of and that is no ancestor of another such one; perhaps one of the two.

    It depends on the ids and parents of versions alone. Raise Invalid if there is none, if there are several (each
    is named), or if that cannot be told within 10,000 versions.
    """
    walk = _Walk(versions)
    await walk.run(ours, theirs)
    nearest = walk.nearest()
    if len(nearest) == 1:
        return nearest[0]
    names = f"{_name(ours)} and {_name(theirs)}"
    if not nearest:
        raise Invalid(f"{names} have no ancestor in common.", step="Name the version that both started from as base.")
    faults = [Fault(f"{_name(version)} is one of them.", "/base") for version in nearest[:FAULTS_SHOWN]]
    raise Invalid(f"{names} have {len(nearest)} nearest ancestors in common.", step=STEP, faults=faults)


class _Walk:
    """Versions met on the way back from two, each with what it is an ancestor of."""

    def __init__(self, versions: Documents[Version]) -> None:
        self._versions = versions
        self._known: dict[Id, Version] = {}
        self._flags: dict[Id, int] = {}

    async def run(self, ours: Version, theirs: Version) -> None:
        self._known = {ours.id: ours, theirs.id: theirs}
        self._flags = {ours.id: _OURS}
        self._flags[theirs.id] = self._flags.get(theirs.id, 0) | _THEIRS
        frontier = set(self._flags)
        while frontier and not self._is_over(frontier):
            frontier = self._handed_on(frontier)
            await self._fetch(frontier)

    def nearest(self) -> list[Version]:
        found = [self._known[one] for one, flags in self._flags.items() if flags == _BOTH and one in self._known]
        return sorted(found, key=lambda version: (version.dataset_name, version.number, version.id))

    def _is_over(self, frontier: set[Id]) -> bool:
        """Tell whether all that is still to come is behind the one that was found."""
        if any(self._flags[one] & _BOTH != _BOTH for one in frontier):
            return False
        return sum(flags == _BOTH for flags in self._flags.values()) == 1

    def _handed_on(self, frontier: set[Id]) -> set[Id]:
        """Return the parents that are now known to be an ancestor of more than before."""
        changed: set[Id] = set()
        for one in frontier & self._known.keys():
            flags = self._flags[one]
            given = flags | _BEHIND if flags & _BOTH == _BOTH else flags
            for parent in self._known[one].parents:
                if self._flags.get(parent, 0) | given != self._flags.get(parent):
                    self._flags[parent] = self._flags.get(parent, 0) | given
                    changed.add(parent)
        return changed

    async def _fetch(self, wanted: set[Id]) -> None:
        missing = sorted(wanted - self._known.keys())
        if len(self._known) + len(missing) > WALKED_AT_MOST:
            raise Invalid(
                f"The histories of both go back over more than {WALKED_AT_MOST:,} versions.",
                step="Name the version that both started from as base.",
            )
        # One that has gone for good had no place in any history that stays.
        self._known |= {version.id: version for version in await self._versions.get_many(missing)} if missing else {}


def _name(version: Version) -> str:
    return f"{version.dataset_name}@{version.number}"
