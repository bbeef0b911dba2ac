"""The labels that a CVAT document declares: their attributes, and of which type each is."""

from collections.abc import Sequence

import orjson
from pydantic import JsonValue

from workers.formats.cvat_shapes import IMAGE_TAG
from workers.formats.cvat_values import typed
from workers.formats.xml_text import UNSAYABLE, escaped


class CvatLabels:
    """Collects labels and their attributes while images are written, and declares them all at the end."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._attributes: dict[str, dict[str, str]] = {name: {} for name in classes}
        self._alone: dict[str, bool] = {}
        """Whether all that a label has are skeletons."""
        self._points: dict[str, int] = {}
        """The number of points of each label that has skeletons."""

    def use(self, label: str) -> None:
        """Declare a label for shapes or tags."""
        self._attributes.setdefault(label, {})
        self._alone[label] = False

    def use_skeleton(self, label: str, points: int) -> None:
        """Declare that a label has skeletons of so many points."""
        self._attributes.setdefault(label, {})
        self._alone.setdefault(label, True)
        self._points[label] = max(points, self._points.get(label, 0))

    def attribute(self, label: str, key: str, value: JsonValue) -> tuple[str, bool]:
        """Return a value as text, and whether it is read again as it is.

        The first value of an attribute makes its type: number, checkbox or text.
        """
        kind = self._attributes.setdefault(label, {}).setdefault(key, _input_type(value))
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        text = UNSAYABLE.sub("", text)
        again = typed(text, kind)
        stays = type(again) is type(value) and again == value
        return text, stays and key == key.strip() and bool(key) and not UNSAYABLE.search(key)

    def head(self, *, images: int, subsets: Sequence[str]) -> str:
        """Return the document up to its first image: of a project if there are several subsets, else of a task."""
        labels = "".join(self._label(name, attributes) for name, attributes in self._attributes.items())
        points = "".join(
            f"        <label><name>{number}</name><type>points</type><attributes></attributes>"
            f"<parent>{escaped(label)}</parent></label>\n"
            for label, count in self._points.items()
            for number in range(1, count + 1)
        )
        named = "".join(f"<subset>{subset}</subset>" for subset in subsets)
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n'
            "    <project>\n      <name>ymir</name>\n"
            f"      <subsets>{named}</subsets>\n      <size>{images}</size>\n      <mode>annotation</mode>\n"
            f"      <labels>\n{labels}{points}      </labels>\n    </project>\n  </meta>\n"
        )

    def _label(self, name: str, attributes: dict[str, str]) -> str:
        kind = "skeleton" if self._alone.get(name) else "tag" if name == IMAGE_TAG else "any"
        inside = "".join(
            f"<attribute><name>{escaped(key)}</name><mutable>False</mutable><input_type>{input_type}</input_type>"
            "<default_value></default_value><values></values></attribute>"
            for key, input_type in attributes.items()
        )
        return (
            f"        <label><name>{escaped(name)}</name><type>{kind}</type><attributes>{inside}</attributes></label>\n"
        )


def _input_type(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, (int, float)) else "text"
