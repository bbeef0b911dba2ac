"""Large JSON documents read piece by piece: the elements of the lists at their top, with where each one stands."""

import json
import mmap
import os
import re
import weakref
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from schemas.errors import Fault, Invalid

TRIES: Final = 16
WINDOW_BYTES: Final = 1 << 16
LONGEST_WORD: Final = 16
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
TOGETHER_BYTES: Final = 1 << 18
LEAST_BYTES: Final = 1 << 9
NEAR_BYTES: Final = 1 << 16
MAPPED_BYTES: Final = 1 << 25
"""So much of a document is in memory at a time, about."""
_GAP: Final = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*\{")
_BLANK: Final = re.compile(rb"[ \t\n\r]*")


class Element(NamedTuple):
    """One element of a list: its list's name and position, its bytes' start and end, and its value."""

    key: str
    position: int
    start: int
    end: int
    value: Any


class Block(NamedTuple):
    """Elements of a list that follow each other: the position of the first, and of each its bytes and its value."""

    key: str
    position: int
    starts: Sequence[int]
    ends: Sequence[int]
    values: Sequence[Any]

    def elements(self) -> Iterator[Element]:
        """Yield them one by one."""
        for number, (start, end, value) in enumerate(zip(self.starts, self.ends, self.values, strict=True)):
            yield Element(self.key, self.position + number, start, end, value)


class _ConstantError(ValueError):
    """A number that JSON does not have."""


class JsonDocument:
    """A file with one JSON object, mapped into memory and never read as a whole."""

    def __init__(self, path: Path, *, name: str) -> None:
        self._name = name
        self._others = json.JSONDecoder(parse_constant=_refuse_constant)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        if not os.fstat(self._file).st_size:
            self._fail("it is empty", 0)
        self._data = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
        self._left_at = 0
        self._begin = len(BYTE_ORDER_MARK) if self._data[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0

    def elements(self, *keys: str) -> Iterator[Element]:
        """Yield the elements of the lists under some keys; raise Invalid naming file and line where it is no JSON.

        The value of a key that is not asked for, or is no list, or an empty one, is yielded whole and as element -1.
        """
        for block in self.blocks(*keys):
            yield from block.elements()

    def blocks(self, *keys: str) -> Iterator[Block]:
        """Yield the same, many elements of a list at a time: so they are read much quicker."""
        position = self._expect(b"{", self._begin)
        if self._peek(position) == b"}":
            self._expect_end(self._expect(b"}", position))
            return
        while True:
            key, position = self._value(position)
            if not isinstance(key, str):
                self._fail("a key is expected", position)
            position = self._blank(self._expect(b":", position))
            if key in keys and self._peek(position) == b"[":
                position = yield from self._list(key, self._expect(b"[", position))
            else:
                start, (value, position) = position, self._value(position)
                yield Block(key, -1, (start,), (position,), (value,))
            if self._peek(position) == b"}":
                self._expect_end(self._expect(b"}", position))
                return
            position = self._blank(self._expect(b",", position))

    def items(self) -> Iterator[Element]:
        """Yield the elements of a document that is a list, or is one element itself; raise Invalid as above."""
        begin = self._blank(self._begin)
        if self._peek(begin) != b"[":
            value, end = self._value(begin)
            self._expect_end(self._blank(end))
            yield Element("", 0, begin, end, value)
            return
        position = self._expect(b"[", begin)
        if self._peek(position) != b"]":
            position = yield from self._elements_of_list(position)
            self._expect_end(position)
        else:
            self._expect_end(self._expect(b"]", position))

    def value(self, start: int, end: int) -> Any:  # noqa: ANN401 - any JSON
        """Return the value between two places that ``elements`` told."""
        return orjson.loads(os.pread(self._file, end - start, start))

    def values(self, places: Sequence[tuple[int, int]]) -> list[Any]:
        """Return several values, by one call where they stand near each other."""
        begin, stop = min(start for start, _ in places), max(end for _, end in places)
        if stop - begin <= NEAR_BYTES:
            data = os.pread(self._file, stop - begin, begin)
            pieces = [data[start - begin : end - begin] for start, end in places]
        else:
            pieces = [os.pread(self._file, end - start, start) for start, end in places]
        return list(orjson.loads(b"[" + b",".join(pieces) + b"]"))

    def _elements_of_list(self, position: int) -> Generator[Element, None, int]:
        blocks = self._list("", position)
        while True:
            try:
                yield from next(blocks).elements()
            except StopIteration as ended:
                return int(ended.value)

    def _list(self, key: str, position: int) -> Generator[Block, None, int]:
        if self._peek(position) == b"]":
            end = self._data.find(b"]", position) + 1
            yield Block(key, -1, (self._data.rfind(b"[", 0, end),), (end,), ([],))
            return self._blank(end)
        number, size = 0, TOGETHER_BYTES
        while True:
            start = self._blank(position)
            block, size = self._next(key, number, start, size)
            yield block
            if start - self._left_at > MAPPED_BYTES:
                self._data.madvise(mmap.MADV_DONTNEED)
                self._left_at = start
            number += len(block.values)
            end = block.ends[-1]
            if self._peek(end) == b"]":
                return self._expect(b"]", end)
            position = self._expect(b",", end)

    def _next(self, key: str, number: int, start: int, size: int) -> tuple[Block, int]:
        """Return the next elements, and in how many bytes to look for those after them."""
        while size >= LEAST_BYTES:
            block = self._objects(key, number, start, size)
            if block is not None:
                return block, min(4 * size, TOGETHER_BYTES)
            # The list may end before that.
            size //= 4
        return self._one(key, number, start), LEAST_BYTES

    def _one(self, key: str, number: int, start: int) -> Block:
        value, end = self._value(start)
        return Block(key, number, (start,), (end,), (value,))

    def _objects(self, key: str, number: int, start: int, size: int) -> Block | None:
        """Return the next elements if they are objects that all end where it looks so; else None."""
        text = self._data[start : start + size]
        if text[:1] != b"{":
            return None
        gaps = [found.span() for found in _GAP.finditer(text)]
        if not gaps:
            return None
        # What looks like a gap may be inside of an element, or of a text; then there are fewer elements than gaps.
        try:
            values = orjson.loads(b"[" + text[: gaps[-1][0] + 1] + b"]")
        except orjson.JSONDecodeError:
            return None
        if len(values) != len(gaps) or set(map(type, values)) != {dict}:
            return None
        starts = [start, *(start + end - 1 for _, end in gaps[:-1])]
        return Block(key, number, starts, [start + begin + 1 for begin, _ in gaps], values)

    def _value(self, start: int) -> tuple[Any, int]:
        """Return the value that starts somewhere, and where it ends."""
        if self._data[start : start + 1] == b"{":
            # An object ends at one of the next braces, nearly always the first or second.
            end = start
            for _ in range(TRIES):
                end = self._data.find(b"}", end) + 1
                if not end:
                    break
                try:
                    return orjson.loads(self._data[start:end]), end
                except orjson.JSONDecodeError:
                    continue
        return self._any_value(start)

    def _any_value(self, start: int) -> tuple[Any, int]:
        size = WINDOW_BYTES
        while True:
            # Latin-1 has a letter for each byte, so that places in the text are places in the file.
            text = self._data[start : start + size].decode("latin-1")
            is_all = start + size >= len(self._data)
            try:
                _, length = self._others.raw_decode(text)
                if is_all or length < len(text):
                    return orjson.loads(self._data[start : start + length]), start + length
            except json.JSONDecodeError as error:
                if is_all or not _is_cut(error, text):
                    self._fail(error.msg, start + error.pos)
            except (ValueError, RecursionError) as error:  # a constant or a number that nobody can read, too deep
                self._fail(str(error), start)
            size *= 4

    def _blank(self, position: int) -> int:
        found = _BLANK.match(self._data, position)
        return found.end() if found else position

    def _peek(self, position: int) -> bytes:
        place = self._blank(position)
        return self._data[place : place + 1]

    def _expect(self, letter: bytes, position: int) -> int:
        place = self._blank(position)
        if self._data[place : place + 1] != letter:
            self._fail(f"{letter.decode()!r} is expected", place)
        return self._blank(place + 1)

    def _expect_end(self, position: int) -> None:
        if position < len(self._data):
            self._fail("there is more after the end", position)

    def _fail(self, detail: str, position: int) -> NoReturn:
        pieces = (self._data[start : min(start + WINDOW_BYTES, position)] for start in range(0, position, WINDOW_BYTES))
        line = 1 + sum(piece.count(b"\n") for piece in pieces)
        fault = Fault(f"not usable JSON: {detail}", f"{self._name}:{line}")
        message = f"{self._name}, line {line}: {fault.detail}."
        raise Invalid(message, step="Correct or remove the file.", faults=[fault])


def _refuse_constant(text: str) -> NoReturn:
    message = f"{text} is no number in JSON"
    raise _ConstantError(message)


def _is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether the end of a window is all that was wrong with it."""
    return error.msg.startswith("Unterminated") or error.pos > len(text) - LONGEST_WORD
