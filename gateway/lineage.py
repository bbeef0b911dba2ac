"""Lineage: everything that a model was made of."""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.views import ExecutorUsed, LearnedFrom, Lineage
from schemas.datasets import Version
from schemas.model_parameters import TrainParameters
from schemas.models import Model
from schemas.schema import Id
from schemas.splits import Split
from schemas.tasks import Task
from storage.ports import Database

ANCESTORS_AT_MOST: Final = 100


async def lineage_of(model: Model, database: Database) -> Lineage:
    """Return what a model was trained on, with what, how, and from which others; of those 100 at most."""
    tasks = await database.documents(Task).get_many([model.task])
    inputs = tasks[0].inputs if tasks else ()
    found = await database.documents(Version).get_many(list({given.version for given in inputs}))
    versions = {version.id: version for version in found}
    ancestors = await _ancestors(model, database)
    oldest = ancestors[-1] if ancestors else model
    return Lineage(
        model=model,
        task=model.task,
        learned_from=tuple(_learned_from(model, tasks[0], versions)) if tasks else (),
        executor=ExecutorUsed(
            name=model.executor,
            reference=model.executor_reference,
            digest=model.executor_digest,
            protocol=model.protocol,
        ),
        configuration=model.config,
        seed=model.config.get("seed"),
        preprocess=model.preprocess,
        metrics={stage.name: stage.metrics for stage in model.stages},
        inputs=inputs,
        versions=tuple(sorted(found, key=lambda version: (version.dataset_name, version.number))),
        ancestors=tuple(ancestors),
        is_cut=len(ancestors) == ANCESTORS_AT_MOST and oldest.pretrained is not None,
    )


async def _ancestors(model: Model, database: Database) -> list[Model]:
    ancestors: list[Model] = []
    youngest = model
    while youngest.pretrained is not None and len(ancestors) < ANCESTORS_AT_MOST:
        parents = await database.documents(Model).get_many([youngest.pretrained.id])
        if not parents:
            break
        youngest = parents[0]
        ancestors.append(youngest)
    return ancestors


def _learned_from(model: Model, task: Task, versions: Mapping[Id, Version]) -> Iterator[LearnedFrom]:
    asked = task.parameters
    if not isinstance(asked, TrainParameters):
        return
    pointers = [f"/training/{number}/ref" for number in range(len(asked.training))]
    digests = dict(zip(pointers, model.training, strict=False))
    splits = dict(zip(pointers, (source.split for source in asked.training), strict=True))
    digests |= {f"/validation/{number}": digest for number, digest in enumerate(model.validation)}
    for given in task.inputs:
        version = versions.get(given.version)
        one = LearnedFrom(
            use="training" if given.pointer in splits else "validation",
            ref=given.ref,
            split=splits.get(given.pointer),
            version=given.version,
            digest=digests.get(given.pointer) or (version.digest if version else None),
            dataset=version.dataset_name if version else None,
            number=version.number if version else None,
        )
        yield one
        if not asked.validation and one.split in {None, Split.VALIDATION}:
            yield one.model_copy(update={"use": "validation", "split": Split.VALIDATION})
