"""Large XML documents read piece by piece: the elements right below the outermost one, with where each one stands."""

import codecs
import mmap
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple, NoReturn
from xml.parsers import expat

from schemas.errors import Invalid
from workers.formats.xml_tree import DEPTH_AT_MOST, Node, codec_of, not_usable, read_tree, stated_encoding

PIECE_BYTES: Final = 1 << 20
HEAD_BYTES: Final = 1 << 10
_AS_IT_IS: Final = frozenset({"utf-8", "ascii"})
_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Element(NamedTuple):
    """One element below the outermost: its name, attributes and line, and its bytes' start and end."""

    name: str
    attributes: dict[str, str]
    line: int
    start: int
    end: int


class XmlDocument:
    """A file mapped into memory and never read as a whole; entities are refused, whatever they are for."""

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self.root = ""
        """The name of the outermost element, once ``elements`` has begun."""
        with path.open("rb") as file, _as_utf8(file, name) as text:
            self.is_file = text is file
            """Whether the places of elements are those in the file; else it is in another encoding than UTF-8."""
            if not text.seek(0, 2):
                raise not_usable("it is empty", name, 1)
            self._data = mmap.mmap(text.fileno(), 0, access=mmap.ACCESS_READ)

    def elements(self) -> Iterator[Element]:
        """Yield the elements right below the outermost; raise Invalid naming the file and line where it is no XML."""
        scanner = _Scanner(self.name, self._data)
        for start in range(0, len(self._data), PIECE_BYTES):
            piece = self._data[start : start + PIECE_BYTES]
            yield from scanner.scan(piece, is_last=start + PIECE_BYTES >= len(self._data))
            self.root = scanner.root

    def tree(self, element: Element) -> Node:
        """Return an element that ``elements`` told with all that it holds; raise Invalid where that is too much."""
        return read_tree(self._data[element.start : element.end], name=self.name, line=element.line)


class _Scanner:
    def __init__(self, name: str, data: mmap.mmap) -> None:
        self.root = ""
        self._name = name
        self._data = data
        self._depth = 0
        self._open = Element("", {}, 0, 0, 0)
        self._found: list[Element] = []
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse
        parser.UnparsedEntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def scan(self, piece: bytes, *, is_last: bool) -> list[Element]:
        self._found = []
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            raise not_usable(expat.ErrorString(error.code), self._name, error.lineno) from error
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        if self._depth == 0:
            self.root = name
        elif self._depth == 1:
            self._open = Element(name, attributes, line, self._parser.CurrentByteIndex, 0)
        self._depth += 1
        if self._depth > DEPTH_AT_MOST:
            raise not_usable(f"elements are nested more than {DEPTH_AT_MOST} deep", self._name, line)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth != 1:
            return
        place = self._parser.CurrentByteIndex
        # That of an end tag is where it starts; that of an element without one is where it ends.
        tag = b"</" + name.encode()
        end = self._data.find(b">", place) + 1 if self._data[place : place + len(tag)] == tag else place
        self._found.append(self._open._replace(name=name, end=end))

    def _refuse(self, *_: object) -> NoReturn:
        raise not_usable("entities are refused", self._name, self._parser.CurrentLineNumber)


def _as_utf8(file: IO[bytes], name: str) -> IO[bytes]:
    """Return a file as it is or, in another encoding than UTF-8, a temporary one with the same text."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        encoding = codec_of(_MARKS.get(head[:2]) or stated_encoding(head)).name
        if encoding in _AS_IT_IS:
            return file
        decoder = codecs.getincrementaldecoder(encoding)()
        text = TemporaryFile()  # noqa: SIM115 - the caller closes it
        while piece := file.read(PIECE_BYTES):
            text.write(decoder.decode(piece).encode())
        text.write(decoder.decode(b"", final=True).encode())
    except (LookupError, ValueError, AttributeError) as error:
        raise _unreadable(name) from error
    text.flush()
    return text


def _unreadable(name: str) -> Invalid:
    return not_usable("cannot be read in its encoding", name, 1)
