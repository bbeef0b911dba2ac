"""XML from strangers: a small tree whose nodes know their line, or an error that names it."""

import codecs
import re
from typing import Final, NoReturn
from xml.parsers import expat

from schemas.errors import Fault, Invalid

DEPTH_AT_MOST: Final = 32
BYTES_AT_MOST: Final = 16 * 2**20

# Python's own, which no other program reads; the time of some grows with the square of what they decode.
_NOT_OF_TEXTS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class Node:
    """One element."""

    __slots__ = ("attributes", "children", "line", "name", "text")

    def __init__(self, name: str, line: int, attributes: dict[str, str]) -> None:
        self.name = name
        self.line = line
        self.attributes = attributes
        self.text = ""
        self.children: list[Node] = []

    def child(self, name: str) -> "Node | None":
        """Return the first child of a name."""
        for node in self.children:
            if node.name == name:
                return node
        return None


def read_tree(data: bytes, *, name: str, line: int = 1) -> Node:
    """Return the root element of a document; raise Invalid naming the file and line for whatever is no plain XML.

    ``line`` is the line at which the document starts, if it is a part of a file.
    """
    if len(data) > BYTES_AT_MOST:
        raise Invalid(f"{name} has more than {BYTES_AT_MOST >> 20} MiB.", faults=[Fault("too large", name)])
    try:
        return _Builder(name, line=line).build(data)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING]:
            return _decoded(data, name)
        raise not_usable(expat.ErrorString(error.code), name, error.lineno + line - 1) from error
    except (ValueError, LookupError):
        # Python's bridge to expat knows single-byte encodings only.
        return _decoded(data, name)


class _Builder:
    def __init__(self, name: str, encoding: str | None = None, *, line: int = 1) -> None:
        self._name = name
        self._lines_before = line - 1
        self._open: list[Node] = []
        # The text of each open element in pieces: put together one by one, many of them would take for ever.
        self._texts: list[list[str]] = []
        self._root: Node | None = None
        self._parser = parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse
        parser.UnparsedEntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def build(self, data: bytes) -> Node:
        self._parser.Parse(data, True)  # noqa: FBT003 - expat takes no names
        if self._root is None:
            raise not_usable("no element found", self._name, 1)
        return self._root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        node = Node(name, self._parser.CurrentLineNumber + self._lines_before, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)
        self._texts.append([])
        if len(self._open) > DEPTH_AT_MOST:
            raise not_usable(f"elements are nested more than {DEPTH_AT_MOST} deep", self._name, node.line)

    def _end(self, _: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _refuse(self, *_: object) -> NoReturn:
        raise not_usable("entities are refused", self._name, self._parser.CurrentLineNumber + self._lines_before)


def _decoded(data: bytes, name: str) -> Node:
    encoding = stated_encoding(data)
    try:
        text = data.decode(codec_of(encoding).name)
    except (LookupError, ValueError) as error:
        raise not_usable(f"cannot be read in its encoding {encoding!r}", name, 1) from error
    try:
        return _Builder(name, "utf-8").build(text.encode())
    except expat.ExpatError as error:
        raise not_usable(expat.ErrorString(error.code), name, error.lineno) from error
    except ValueError as error:
        raise not_usable("cannot be read as text", name, 1) from error


def stated_encoding(data: bytes) -> str:
    """Return the encoding that the start of a document states."""
    found = _ENCODING.search(data)
    return found[1].decode() if found else "utf-8"


def codec_of(encoding: str) -> codecs.CodecInfo:
    """Return what decodes documents in an encoding; raise LookupError for one that is none of texts."""
    codec = codecs.lookup(encoding)
    if codec.name in _NOT_OF_TEXTS:
        raise LookupError(encoding)
    return codec


def not_usable(detail: str, name: str, line: int) -> Invalid:
    """Return the error for what is no plain XML."""
    fault = Fault(f"not usable XML: {detail}", f"{name}:{line}")
    return Invalid(f"{name}, line {line}: {fault.detail}.", step="Correct or remove the file.", faults=[fault])
