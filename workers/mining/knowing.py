"""Knowing the candidates: what an executor wrote of them, and what their pixels tell, brought into one order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from schemas.model_parameters import MineParameters
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.near_duplicates import Hashes, hashes_of
from workers.executors.candidates import assets_of
from workers.executors.mining_result import Ranking
from workers.image_pool import ImagePool
from workers.mining.executing import Said
from workers.mining.labeled import Known
from workers.mining.objects import Objects, objects_of
from workers.mining.pixels import pixel_features
from workers.mining.plan import Plan
from workers.mining.pool import Floats, Labeled, Numbers, Pool, Ranked, unit
from workers.mining.strategies import Need

BATCH: Final = 256
NO_EMBEDDINGS: Final = "The executor wrote no embeddings.npy: the strategy looked at colours and edges instead."

Progress = Callable[[float], None]


class Pixels(NamedTuple):
    """What reading pixels takes."""

    pool: ImagePool
    cache: BlobCache


class Features(NamedTuple):
    """Features of some assets, row by row, and what the user should know about them."""

    rows: Mapping[bytes, int]
    matrix: Floats | None
    warnings: tuple[str, ...] = ()

    def given_to(self, pool: Pool) -> Pool:
        """Return a pool with features. CPU-heavy: call it in a thread."""
        labeled = replace(pool.labeled, features=self._of(pool.labeled.assets))
        return replace(pool, features=self._of(pool.assets), labeled=labeled)

    def _of(self, assets: Sequence[bytes]) -> Floats | None:
        if self.matrix is None or not assets or any(asset not in self.rows for asset in assets):
            return None
        return unit(np.asarray(self.matrix[[self.rows[asset] for asset in assets]], np.float32))


async def features_of(
    plan: Plan, assets: Sequence[bytes], said: Said | None, *, pixels: Pixels, progress: Progress
) -> Features:
    """Return the features of some assets: the executor's, else made of pixels; none where nobody asked for any."""
    if Need.FEATURES not in plan.needs:
        return Features({}, None)
    if said is not None and said.embeddings is not None:
        return Features({asset: row for row, asset in enumerate(said.ready.images)}, said.embeddings)
    warnings = () if said is None else (NO_EMBEDDINGS,)
    matrix = await _of_pixels(assets, pixels=pixels, progress=progress)
    return Features({asset: row for row, asset in enumerate(assets)}, matrix, warnings)


async def pool_of(
    candidates: Content,
    said: Said | None,
    *,
    known: Known,
    parameters: MineParameters,
    classes: Sequence[str],
    library: Library,
) -> Pool:
    """Return all that is known of the candidates without features, in ascending order of their ids."""
    hashes = await hashes_of(candidates, library=library)
    assets = await asyncio.to_thread(assets_of, candidates, ids=await library.asset_ids(candidates))
    return await asyncio.to_thread(pool_in_order, assets, hashes, said, known, parameters, tuple(classes))


def pool_in_order(
    assets: Sequence[bytes],
    hashes: Hashes,
    said: Said | None,
    known: Known,
    parameters: MineParameters,
    classes: tuple[str, ...],
) -> Pool:
    """Return the same, in whatever order the candidates come."""
    order = sorted(range(len(assets)), key=assets.__getitem__)
    ordered = [assets[place] for place in order]
    counts = np.array([known.counts[name.strip().lower()] for name in classes], np.float64)
    return Pool(
        assets=ordered,
        wanted=parameters.top_k,
        seed=parameters.seed,
        classes=classes,
        options=parameters.strategy_options,
        ranked=None if said is None else _ranked(ordered, said.ranking),
        objects=None if said is None else _objects(ordered, said, classes),
        hashes=Hashes(hashes.words[order], hashes.known[order]),
        labeled=Labeled(known.assets, counts, known.hashes),
    )


def _ranked(assets: Sequence[bytes], ranking: Ranking) -> Ranked:
    among = set(assets)
    picks = [pick for pick in ranking.picks if pick.asset in among]
    place_of = {pick.asset: place for place, pick in enumerate(picks)}
    places: Numbers = np.array([place_of.get(asset, -1) for asset in assets], np.int64)
    scores = np.array([picks[place].score if place >= 0 else 0.0 for place in places.tolist()], np.float64)
    return Ranked(places, scores)


def _objects(assets: Sequence[bytes], said: Said, classes: Sequence[str]) -> Objects | None:
    if said.found is None:
        return None
    names = [name.strip().lower() for name in classes]
    return objects_of(assets, said.found.annotations, said.found.class_scores, classes=names)


async def _of_pixels(assets: Sequence[bytes], *, pixels: Pixels, progress: Progress) -> Floats:
    gate = asyncio.Semaphore(pixels.pool.processes + 1)
    done = 0

    async def some(part: Sequence[bytes]) -> Floats:
        nonlocal done
        async with gate, pixels.cache.use([f"sha256:{asset.hex()}" for asset in part]) as paths:
            found = await pixels.pool.call(pixel_features, paths)
        done += len(part)
        progress(done / len(assets))
        return found

    parts = [assets[start : start + BATCH] for start in range(0, len(assets), BATCH)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(some(part)) for part in parts]
    return np.concatenate([task.result() for task in running])
