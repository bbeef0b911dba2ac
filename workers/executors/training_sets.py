"""What a model is trained and validated on: two sets of annotated assets, with none in common."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from schemas.algebra_parameters import Strategy
from schemas.annotations import LayerName
from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.model_parameters import Overlap, TrainParameters
from schemas.schema import AssetId, Digest
from schemas.splits import Split
from schemas.tasks import Task
from storage.datasets.content import Content
from storage.datasets.exclude import excluded, overlap
from storage.datasets.library import Library
from storage.datasets.merge import MergeSource, merged
from storage.datasets.restriction import Ids, image_rows_of, restricted
from storage.datasets.selections import count
from workers.steps.guard import Guarded, guarded

FAULTS_TOLD: Final = 1_000
# What was put aside for measuring is never learned from.
LEARNED_FROM: Final = (Split.TRAINING, Split.NONE)


class TrainingSets(NamedTuple):
    """The two sets, the versions that they come from, and what the user should know about them."""

    training: Content
    validation: Content
    training_versions: tuple[Digest, ...]
    validation_versions: tuple[Digest, ...]
    overlap: tuple[AssetId, ...]
    """The assets that were in both before ``on_overlap`` decided."""
    warnings: tuple[str, ...]
    guard: Guarded = Guarded()
    """What there is to say of near-duplicates in both sets."""


async def training_sets(task: Task, parameters: TrainParameters, *, library: Library) -> TrainingSets:
    """Return the sets of a training.

    Learned from are the assets of the ``training`` sources that are put to training or to no use; of an asset that
    two sources have, the first one's annotations count. Validated on are the ``validation`` versions as a whole or,
    without any, the validation split of the sources. Only assets that the layer annotates count. Raise Invalid if a
    set is empty, or if they overlap, or have near-duplicates, under ``stop``.
    """
    pointers = [f"/training/{position}/ref" for position in range(len(parameters.training))]
    sources = [await library.version(task.version_of(pointer)) for pointer in pointers]
    pointers = [f"/validation/{position}" for position in range(len(parameters.validation))]
    tests = [await library.version(task.version_of(pointer)) for pointer in pointers]
    contents = [await library.content(version.digest) for version in sources]
    test_contents = [await library.content(version.digest) for version in tests]
    ids = await library.asset_ids(*contents, *test_contents)
    splits = [source.split for source in parameters.training]
    training, validation, warnings = await asyncio.to_thread(
        _divided, [*map(MergeSource, contents, splits)], test_contents, layer=parameters.layer, ids=ids
    )
    common = tuple(await asyncio.to_thread(overlap, training, validation, ids=ids))
    if common:
        training, validation = await asyncio.to_thread(
            _without_overlap, training, validation, common, parameters.on_overlap, ids=ids
        )
        warnings += (
            f"Both in training and in validation: {counted(len(common), 'asset')}; {_used(parameters.on_overlap)}.",
        )
    _check(training, validation, parameters)
    both = Content({Split.TRAINING: training.image_masks(), Split.VALIDATION: validation.image_masks()})
    guard = await guarded(both, parameters, library=library)
    if guard.error is not None:
        raise guard.error
    digests = tuple(version.digest for version in sources), tuple(version.digest for version in tests)
    return TrainingSets(training, validation, *digests, common, (*warnings, *guard.warnings), guard)


def _divided(
    sources: Sequence[MergeSource], tests: Sequence[Content], *, layer: LayerName, ids: Ids
) -> tuple[Content, Content, tuple[str, ...]]:
    joined = merged(sources, strategy=Strategy.HOST, ids=ids).content
    training = _of_splits(joined, *LEARNED_FROM)
    if tests:
        validation = merged([MergeSource(test) for test in tests], strategy=Strategy.HOST, ids=ids).content
        put_aside = joined.image_count() - training.image_count()
    else:
        validation = _of_splits(joined, Split.VALIDATION)
        put_aside = joined.image_count(Split.TEST)
    warnings = []
    if put_aside:
        warnings.append(f"{put_aside} assets of the training sources are put to validation or test and were not used.")
    sets = []
    for name, content in (("training", training), ("validation", validation)):
        rows = image_rows_of(content, content.layer_masks(layer), ids=ids)
        kept = restricted(content, rows, ids=ids)
        missing = content.image_count() - kept.image_count()
        if missing:
            warnings.append(
                f"Not used, as the layer {layer!r} has not annotated them: {counted(missing, 'asset')} for {name}."
            )
        sets.append(replace(kept, layers={layer: kept.layers[layer]} if layer in kept.layers else {}))
    return sets[0], sets[1], tuple(warnings)


def _of_splits(content: Content, *splits: Split) -> Content:
    # The layers still cover all assets: they are restricted together with the images later.
    return replace(content, images={split: masks for split, masks in content.images.items() if split in splits})


def _without_overlap(
    training: Content, validation: Content, common: Sequence[AssetId], on_overlap: Overlap, *, ids: Ids
) -> tuple[Content, Content]:
    if on_overlap is Overlap.STOP:
        raise Invalid(
            f"Both in training and in validation: {counted(len(common), 'asset')}: what is measured would be too good.",
            step="Exclude them, or say with on_overlap where they are to be used: training or validation.",
            faults=[Fault("It is in both sets.", asset) for asset in common[:FAULTS_TOLD]],
        )
    if on_overlap is Overlap.TRAINING:
        return training, excluded(validation, [training], ids=ids)
    return excluded(training, [validation], ids=ids), validation


def _used(on_overlap: Overlap) -> str:
    return f"they were used for {on_overlap} only"


def _check(training: Content, validation: Content, parameters: TrainParameters) -> None:
    if not count(training.image_masks()):
        raise Invalid(
            f"There is nothing to train on: no asset for training is annotated in the layer {parameters.layer!r}.",
            step="Name sources with labeled images, or give them the split training.",
        )
    if not count(validation.image_masks()):
        raise Invalid(
            f"There is nothing to validate on: no asset for it is annotated in the layer {parameters.layer!r}.",
            step="Name versions under validation, or put some assets of training to validation with a split task.",
        )
