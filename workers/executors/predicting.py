"""Running a trained model on candidates: what mining and inference have in common."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.annotations import ClassName
from schemas.counts import counted
from schemas.executors import Purpose
from schemas.model_parameters import ModelStage, UsesExecutor
from schemas.projects import Project
from schemas.reports import Finding, Report
from storage.cache import BlobCache
from storage.class_names import Names, names_in
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import ImageRow
from storage.ports import Blobs, Database
from workers.executors.candidates import Images, assets_of, read_found, write_candidates
from workers.executors.configured import Configured, configured
from workers.executors.contract import shared_memory_bytes
from workers.executors.infer_result import Found
from workers.executors.inputs import write_model
from workers.executors.models import FoundStage, find_stage
from workers.executors.prediction_layers import keep_predictions, predictions_of
from workers.executors.preprocessing import preprocessor_of
from workers.executors.runs import PREPARED, Executed, Run, Runtimes, execute, open_run
from workers.image_pool import ImagePool
from workers.work import P_co, Work


class Tools(NamedTuple):
    """What running an executor takes."""

    library: Library
    blobs: Blobs
    database: Database
    cache: BlobCache
    runtimes: Runtimes
    pool: ImagePool


class Prepared(NamedTuple):
    """A run whose input is written."""

    run: Run
    found: FoundStage
    settings: Configured
    images: Images
    """As the executor sees them."""
    own: Mapping[bytes, ImageRow]
    """Those that it sees in another size, as they are themselves."""
    names: Names
    """The main name of every class and alias of the project."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before it has run."""
        return (*self.run.warnings, *self.settings.warnings)


async def prepared(
    work: Work[P_co],
    parameters: UsesExecutor,
    content: Content,
    *,
    model: ModelStage,
    purposes: frozenset[Purpose],
    tools: Tools,
) -> Prepared:
    """Write the input of a run on all images of a content, made as those were that the model learned from."""
    work.progress(0.0, "preparing")
    project = await tools.database.documents(Project).get(work.task.project)
    found = await find_stage(model, project=project.id, database=tools.database)
    run = await open_run(
        work,
        parameters,
        purposes=purposes,
        object_type=project.object_type,
        database=tools.database,
        runtimes=tools.runtimes,
    )
    models = await write_model(found.model, found.stage.name, run.folder, layout=run.layout, cache=tools.cache)
    settings = await configured(
        work,
        parameters,
        run,
        purposes=purposes,
        classes=found.model.classes,
        object_type=project.object_type,
        models=models,
        preprocess=found.model.preprocess,
    )
    own: Images = {}
    total = content.image_count()
    preprocessor = preprocessor_of(found.model.preprocess, work=work, total=total, pool=tools.pool, own=own)
    images = await write_candidates(content, run, library=tools.library, cache=tools.cache, preprocessor=preprocessor)
    return Prepared(run, found, settings, images, own, await names_in(project.id, tools.database))


async def executed(work: Work[P_co], ready: Prepared, *, phase: str, tools: Tools) -> Executed:
    """Run what is prepared."""
    work.progress(PREPARED, phase)
    shared = shared_memory_bytes(ready.settings.values)
    return await execute(work, ready.run, shared_memory_bytes=shared, phase=phase, blobs=tools.blobs)


async def predictions(ready: Prepared, *, keep_others: bool = False) -> Found:
    """Return what the executor found, under the main names of classes; raise Invalid if it did not write it rightly.

    Of classes that the model does not have, ``keep_others`` keeps those that can be names.
    """
    classes = None if keep_others else ready.found.model.classes
    return await asyncio.to_thread(_predictions, ready, classes)


def _predictions(ready: Prepared, classes: Sequence[ClassName] | None) -> Found:
    found = read_found(ready.run, ready.images, classes=classes, own=ready.own)
    named = {
        asset: tuple(row._replace(class_name=ready.names.get(row.class_name or "", row.class_name)) for row in rows)
        for asset, rows in found.annotations.items()
    }
    return found._replace(annotations=named)


async def with_predictions(content: Content, found: Found, ready: Prepared, *, layer: str, tools: Tools) -> Content:
    """Return a content with what was found on its images as a layer, in the place of one of the same name."""
    ids = await tools.library.asset_ids(content)
    assets = await asyncio.to_thread(assets_of, content, ids=ids)
    origin = predictions_of(ready.found, ready.settings)
    # Those of other classes are in it if they were asked for.
    others = sorted({row.class_name for rows in found.annotations.values() for row in rows if row.class_name})
    classes = dict.fromkeys([*(ready.names.get(name, name) for name in origin.classes), *others])
    origin = origin.model_copy(update={"classes": tuple(classes)})
    kept = await keep_predictions(assets, found.annotations, layer=layer, predictions=origin, library=tools.library)
    return content.with_layer(layer, kept)


def unknown_class_findings(found: Found) -> list[Finding]:
    """Return a finding for each class of which predictions were left out."""
    return [
        Finding(subject=name, detail=f"Left out: {counted(times, 'prediction')} of it.", kind="unknown_class")
        for name, times in sorted(found.unknown_classes.items())
    ]


async def report_blob(report: Report, *, tools: Tools) -> dict[str, object]:
    """Keep a report and return it as the change of an outcome."""
    return {"report": await tools.blobs.put(report.model_dump_json().encode(), media_type="application/json")}
