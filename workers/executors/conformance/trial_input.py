"""What an executor is given in one trial: the built-in set, a model, and its settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from schemas.annotations import GROUND_TRUTH, ObjectType
from schemas.executors import Executor, Protocol, Purpose
from workers.executors.conformance.pictures import CLASSES, TRAINING, Picture, rows_of
from workers.executors.contract import ExportFormat, configuration, environment, export_format, reserved_values
from workers.executors.inputs import annotator, image_path, index_lines, write_coco, write_settings
from workers.executors.layout import CANDIDATE_INDEX, MODELS, TRAINING_INDEX, VALIDATION_INDEX, Layout, RunFolder
from workers.executors.older_layouts import add_older_paths, model_paths

Model = Mapping[str, Path]
"""The files of a stage by where they lie below ``models/``: ``<stage>/<file>``."""


class Asked(NamedTuple):
    """What an executor is asked to do."""

    purposes: frozenset[Purpose]
    object_type: ObjectType
    config: Mapping[str, JsonValue]
    model: Model
    pictures: Sequence[Picture]
    gpus: int = 0
    protocol: Protocol | None = None
    """What env.yaml says, if it is not what the executor asks for."""


def write_input(
    executor: Executor, asked: Asked, folder: RunFolder, layout: Layout, task: str
) -> Mapping[str, JsonValue]:
    """Make the folders of a run, write all that the executor gets, and return what config.yaml holds."""
    folder.prepare()
    for path, file in asked.model.items():
        target = folder.given / MODELS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    template: dict[str, JsonValue] = {}
    for purpose in sorted(asked.purposes):
        template |= executor.templates_for(asked.object_type)[purpose]
    models = [f"{layout.root_in}/{MODELS}/{path}" for path in asked.model]
    reserved = reserved_values(
        task,
        purposes=asked.purposes,
        classes=CLASSES,
        object_type=asked.object_type,
        gpus=asked.gpus,
        models=model_paths(models, protocol=executor.protocol, layout=layout),
    )
    values, _ = configuration(template, asked.config, reserved=reserved)
    surroundings = environment(
        task, purposes=asked.purposes, layout=layout, protocol=asked.protocol or executor.protocol
    )
    write_settings(folder, environment=surroundings, configuration=values)
    _write_pictures(asked, folder, layout, export_format(values, protocol=executor.protocol))
    # A protocol that is only named is no reason to take away the paths of another.
    add_older_paths(folder, protocol=None if asked.protocol else executor.protocol)
    return values


def _write_pictures(asked: Asked, folder: RunFolder, layout: Layout, form: ExportFormat) -> None:
    for picture in asked.pictures:
        path = folder.given / image_path(picture.row)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.data)
    if Purpose.TRAINING not in asked.purposes:
        lines = index_lines(rows_of(asked.pictures), layout=layout)
        (folder.given / CANDIDATE_INDEX).write_text("".join(lines), encoding="utf-8")
        return
    sets = {TRAINING_INDEX: asked.pictures[:TRAINING], VALIDATION_INDEX: asked.pictures[TRAINING:]}
    for index, some in sets.items():
        rows, name = rows_of(some), index.removesuffix("-index.tsv")
        annotate = annotator(form, folder, layer=GROUND_TRUTH, classes=CLASSES, name=name)
        lines = index_lines(rows, layout=layout, annotations=annotate(rows))
        (folder.given / index).write_text("".join(lines), encoding="utf-8")
        if form is ExportFormat.COCO:
            write_coco(rows, folder, layer=GROUND_TRUTH, classes=CLASSES, name=name)
