"""Revs: how sources and targets are addressed on the command line, ``[tr:|va:|te:]branch[@tid]``, lists with ``;``."""

import re
from typing import Final, NamedTuple

from client.mir.codes import Code, MirError

SPLITS: Final = {"tr": "training", "va": "validation", "te": "test"}
HEAD: Final = "HEAD"
MASTER: Final = "master"
"""The branch that is always empty."""
DIGITS: Final = "tid-"
"""What a tid of digits only is stored under: as a tag it would be taken for a version's number."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Rev(NamedTuple):
    """A branch, perhaps a tid in it, and perhaps the split that all of its assets are put to."""

    branch: str
    tid: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        return self.branch if self.tid is None else f"{self.branch}@{self.tid}"

    @property
    def ref(self) -> str:
        """The rev as the service knows it."""
        return self.branch if self.tid is None else f"{self.branch}@{tag_of(self.tid)}"


def parse_revs(text: str | None) -> list[Rev]:
    """Return a list of sources; raise MirError."""
    revs = [_parsed(part) for part in (text or "").split(";") if part.strip()]
    if not revs:
        raise MirError(Code.INVALID_ARGS, "empty src or dst revs", step="Give at least one, such as a-branch@a-tid.")
    return revs


def parse_rev(text: str | None) -> Rev:
    """Return the one source; raise MirError if there are several."""
    revs = parse_revs(text)
    if len(revs) > 1:
        message = f"src or dst rev not single: {text}"
        raise MirError(Code.INVALID_ARGS, message, step="Merge them first: this command takes one.")
    return revs[0]


def parse_dst_rev(text: str | None) -> Rev:
    """Return the target, which has a tid; raise MirError."""
    rev = parse_rev(text)
    if rev.tid is None:
        message = f"src or dst rev have no tid: {text}"
        raise MirError(Code.INVALID_ARGS, message, step=f"Name the result: {rev.branch}@a-tid.")
    if rev.split is not None:
        raise MirError(Code.INVALID_ARGS, f"invalid arg: {text}", step="Only sources have a tr:, va: or te: before.")
    if rev.branch in {HEAD, MASTER}:
        message = f"invalid arg: {text}"
        raise MirError(Code.INVALID_ARGS, message, step=f"{rev.branch} cannot be written to: choose another branch.")
    for name in (rev.branch, rev.tid):
        check_name(name, text or "")
    return rev


def check_name(name: str, text: str) -> None:
    """Raise MirError unless a branch or tid can have this name."""
    if not _NAME.fullmatch(name):
        step = "Names have up to 100 letters, digits, dots, dashes and underscores, and start with a letter or digit."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: {text}: {name!r} is no name", step=step)


def tag_of(tid: str) -> str:
    """Return the tag under which a tid is stored."""
    return f"{DIGITS}{tid}" if tid.isdecimal() else tid


def tid_of(tag: str) -> str:
    """Return the tid that is stored under a tag."""
    tid = tag.removeprefix(DIGITS)
    return tid if tid.isdecimal() else tag


def _parsed(text: str) -> Rev:
    item = text.strip()
    if item.count(":") > 1 or item.count("@") > 1:
        step = "Write [tr:|va:|te:]branch[@tid], several with ; between them, all in quotes."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: {item}", step=step)
    before, colon, rest = item.rpartition(":")
    branch, _, tid = (part.strip() for part in rest.partition("@"))
    if colon and before.strip() not in SPLITS:
        step = "Before the colon stands tr (training), va (validation) or te (test)."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: {item}", step=step)
    if not branch:
        raise MirError(Code.INVALID_ARGS, f"src or dst rev have no rev: {item}", step="Name the branch before the @.")
    return Rev(branch, tid or None, SPLITS[before.strip()] if colon else None)
