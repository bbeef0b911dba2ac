"""Mining: picks out of many candidates with features, boxes and hashes, as an executor and an import tell of them."""

from pathlib import Path
from typing import Final

import numpy as np

from storage.datasets.near_duplicates import Hashes
from tests.bench.measuring import peak_mb, timed
from tests.bench.row import Measured, Size
from workers.mining.objects import Objects
from workers.mining.pool import Floats, Labeled, Numbers, Pool, unit
from workers.mining.strategies import picks

IMAGES: Final = 100_000
WANTED: Final = 1_000
LABELED: Final = 1_000
FEATURES: Final = 512
GROUPS: Final = 200
BOXES: Final = 5
CLASSES: Final = tuple(f"class {number}" for number in range(20))
RUNS: Final = 3


async def kcenter(_: Path, size: Size) -> Measured:
    """Cover the space of features."""
    return await _measured("kcenter", size)


async def typiclust(_: Path, size: Size) -> Measured:
    """Pick what is typical of clusters."""
    return await _measured("typiclust", size)


async def two_stage(_: Path, size: Size) -> Measured:
    """Pick what a model is unsure of, and of that what is different."""
    return await _measured("two_stage", size)


async def _measured(strategy: str, size: Size) -> Measured:
    pool = _pool(min(IMAGES, size.images // 10))

    async def act() -> int:
        return len({pick.place for pick in picks(pool, strategy)})

    found = await act()
    wrong = "" if found == pool.wanted else f"{found} picks instead of {pool.wanted}"
    return Measured(runs=await timed(act, runs=RUNS), peak_mb=peak_mb(), told=f"{found:,} picks", wrong=wrong)


def _pool(count: int) -> Pool:
    random = np.random.default_rng(0)
    centers = _drawn(random, GROUPS) * np.float32(1.5)
    features = _drawn(random, count)
    features += centers[random.integers(0, GROUPS, count)]
    image: Numbers = np.repeat(np.arange(count), BOXES)
    shares = random.dirichlet(np.full(len(CLASSES) + 1, 0.3), count * BOXES).astype(np.float32)
    return Pool(
        assets=sorted(random.bytes(32) for _ in range(count)),
        wanted=min(WANTED, count),
        classes=CLASSES,
        objects=Objects(image, shares),
        features=unit(features),
        hashes=_hashes(random, count),
        labeled=Labeled(
            assets=[bytes(32)] * LABELED,
            class_counts=np.arange(1, len(CLASSES) + 1, dtype=np.float64),
            hashes=_hashes(random, LABELED),
            features=unit(_drawn(random, LABELED)),
        ),
    )


def _drawn(random: np.random.Generator, count: int) -> Floats:
    return random.standard_normal((count, FEATURES), dtype=np.float32)


def _hashes(random: np.random.Generator, count: int) -> Hashes:
    return Hashes(random.integers(0, 2**64, (count, 4), dtype=np.uint64), np.ones(count, np.bool_))
