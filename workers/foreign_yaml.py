"""YAML from strangers: what it holds, or what is wrong with it and in which line."""

from itertools import chain
from typing import Any, Final, NamedTuple

import yaml

WRITTEN_OUT_AT_MOST: Final = 16 * 2**20
"""So many letters and values may come of a document with all that it refers to written out."""

DEPTH_AT_MOST: Final = 64
TOO_DEEP: Final = "it is nested too deep"

# What constructors of PyYAML raise for a tag whose text is none of its type, beside errors of its own.
_NO_VALUE: Final = (ValueError, TypeError, AttributeError, IndexError, KeyError)


class NotYaml(ValueError):
    """A document cannot be used: why, and the line that is at fault, 1 where none is known."""

    def __init__(self, detail: str, line: int = 1) -> None:
        super().__init__(f"{detail} (line {line})")
        self.detail = detail
        self.line = line


def read_yaml(data: bytes | str) -> Any:  # noqa: ANN401 - any YAML
    """Return what a document holds, None for nothing; raise NotYaml.

    References can make a few bytes stand for more than any memory holds, as soon as somebody writes them out or
    copies them: a document in which they do is refused, and so is one that contains itself.
    """
    try:
        loader = yaml.SafeLoader(data)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _measured(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise NotYaml(error.problem or "it is no YAML", line) from error
    except NotYaml:
        raise
    except yaml.YAMLError as error:
        message = "it is no text"
        raise NotYaml(message) from error
    except RecursionError as error:
        raise NotYaml(TOO_DEEP) from error
    except _NO_VALUE as error:
        message = f"a value is none of its type: {str(error)[:100]}"
        raise NotYaml(message) from error


class _Extent(NamedTuple):
    """How much a node comes to when it is written out, and how deep that is nested."""

    weight: int
    depth: int


def _measured(node: yaml.Node, known: dict[int, _Extent | None]) -> _Extent:
    """Return the extent of a node; raise NotYaml where it is too much, or too deep for the stores."""
    line = node.start_mark.line + 1
    if id(node) in known:
        extent = known[id(node)]
        if extent is None:
            message = "a value contains itself"
            raise NotYaml(message, line)
        return extent
    known[id(node)] = None
    weight, depth = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0), 1
    for part in _parts(node):
        inside = _measured(part, known)
        weight, depth = weight + inside.weight, max(depth, inside.depth + 1)
        if weight > WRITTEN_OUT_AT_MOST:
            message = "it refers to so much that it would fill the memory"
            raise NotYaml(message, line)
        if depth > DEPTH_AT_MOST:
            raise NotYaml(TOO_DEEP, line)
    known[id(node)] = extent = _Extent(weight, depth)
    return extent


def _parts(node: yaml.Node) -> Any:  # noqa: ANN401 - nodes, which have no types
    match node:
        case yaml.SequenceNode():
            return node.value
        case yaml.MappingNode():
            return chain.from_iterable(node.value)
    return ()
