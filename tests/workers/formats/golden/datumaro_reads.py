"""Prints what Datumaro reads of folders, as JSON; it is run in a virtual environment that has it."""

import json
import sys
from typing import Any

from datumaro.components.dataset import Dataset


def what_is_read(folder: str, form: str) -> dict[str, list[list[object]]]:
    """Return the shapes of each picture by the name of its file, as class, kind and numbers."""
    dataset = Dataset.import_from(folder, form)
    names = [label.name for label in dataset.categories()[next(iter(dataset.categories()))]]
    return {item.id: [found for one in item.annotations if (found := _shape(one, names))] for item in dataset}


def _shape(annotation: Any, names: list[str]) -> list[object] | None:  # noqa: ANN401 - one of Datumaro
    kind = annotation.type.name
    label = names[annotation.label] if annotation.label is not None else None
    if kind == "bbox":
        return [label, kind, [float(number) for number in annotation.get_bbox()]]
    if kind == "polygon":
        return [label, kind, [float(number) for number in annotation.points]]
    if kind == "mask":
        return [label, kind, [int(annotation.get_area()), *(float(number) for number in annotation.get_bbox())]]
    return None


if __name__ == "__main__":
    pairs = [argument.split("=") for argument in sys.argv[1:]]
    print(json.dumps({name: what_is_read(folder, form) for name, form, folder in (one for one in pairs)}))
