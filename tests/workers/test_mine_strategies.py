"""Mining by strategies of ours: what the executor is asked, what it may leave out, and what is told of the picks."""

import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from schemas.errors import Invalid
from schemas.model_parameters import MineParameters, TrainParameters
from schemas.models import Model
from schemas.outcomes import Outcome
from tests.workers.loop_world import CAT, DOG, TRAINS, World, a_world, config_of, python
from workers.handlers.mine import mine
from workers.handlers.train import train
from workers.images import turned_upright
from workers.mining.embeddings import read_embeddings
from workers.mining.pixels import DIMENSIONS, pixel_features
from workers.work import Work

# On the n-th candidate, in order of their names, one box that is surer the larger n is; its embedding is n.
SEES = """
images = lines(given['candidate_index_file'])
order = {image: place for place, image in enumerate(sorted(images, key=lambda path: pathlib.Path(path).name))}
if env['run_mining']:
    pathlib.Path(out['mining_result_file']).write_text(''.join(f'{image}\\t0.5\\n' for image in images))
if env['run_infer']:
    box = dict(x=1, y=2, w=3, h=4)
    def told(image):
        share = (order[image] + 1) / (len(images) + 1) / 2
        return {'boxes': [{'box': box, 'class_name': 'cat', 'score': 0.5, 'class_scores': [0.5 + share, 0.0]}]}
    json.dump({'detection': {pathlib.Path(i).name: told(i) for i in images}}, open(out['infer_result_file'], 'w'))
"""
EMBEDS = """
import numpy
numpy.save(out['root_dir'] + '/embeddings.npy', numpy.array([[1.0, order[i]] for i in images], numpy.float32))
"""
TEMPLATES = dict.fromkeys(("training", "mining", "infer"), "mining_algorithm: own\n")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def a_model(world: World, *, labels: int = 20) -> Model:
    """Train on one image with so many boxes of cats, and one with a dog."""
    await world.executor(TRAINS)
    inputs = {
        "/training/0/ref": await world.version(await world.pictures([[CAT] * labels, [DOG]], seed=8)),
        "/validation/0": await world.version(await world.pictures([[CAT]], seed=9)),
    }
    fields = {"executor": "fake", "training": [{"ref": "a"}], "validation": ["b"], "model": "animals"}
    asked = TrainParameters.model_validate({**fields, "classes": ["cat", "dog"]})
    return await world.keep_model(await train(world.work(asked, inputs), **world.tools()))


async def an_attempt(world: World, *, model: Model | None, count: int = 5, **changes: object) -> Work[MineParameters]:
    inputs = {"/source": await world.version(await world.pictures([None] * count))}
    named = {} if model is None else {"executor": "fake", "model": {"id": model.id}}
    fields = {"dataset": "mined", "source": "pool", "top_k": 2, **named, **changes}
    return world.work(MineParameters.model_validate(fields), inputs)


async def mined(
    world: World,
    work: Work[MineParameters],
    script: str = SEES + EMBEDS,
    *,
    purposes: Sequence[str] = ("training", "mining", "infer"),
) -> Outcome:
    await world.executor(python(script), templates={purpose: TEMPLATES[purpose] for purpose in purposes})
    return await mine(work, **world.tools())


async def candidates(world: World, work: Work[MineParameters]) -> list[str]:
    source = await world.library.version(work.task.version_of("/source"))
    content = await world.library.content(source.digest)
    return sorted([row.asset async for row in world.library.rows(content, layers=[])])


async def picked(world: World, outcome: Outcome) -> list[str]:
    return [finding.subject for finding in (await world.report(outcome)).findings if finding.kind == "pick"]


async def test_entropy_is_that_of_the_class_scores(world: World) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="entropy")

    outcome = await mined(world, work)

    assert await picked(world, outcome) == (await candidates(world, work))[:2]
    assert (config_of(work)["run_mining"], config_of(work)["run_infer"]) == (0, 1)
    first = (await world.report(outcome)).findings[0]
    assert first.detail.startswith("rank 1, score 0.6")
    assert "its most undecided box of 1: cat 0.58" in first.detail


async def test_kcenter_sees_where_the_labeled_images_lie(world: World) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="kcenter")

    outcome = await mined(world, work)

    report = await world.report(outcome)
    assert report.summary["labeled"] == 2
    assert "from everything picked or labeled; the nearest labeled image is" in report.findings[0].detail
    assert outcome.warnings == ()
    assert len((work.scratch / "in/candidate-index.tsv").read_text().splitlines()) == 7


async def test_without_embeddings_pixels_are_looked_at_and_that_is_told(world: World) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="kcenter")

    outcome = await mined(world, work, SEES)

    assert len(await picked(world, outcome)) == 2
    assert any("no embeddings.npy" in warning for warning in outcome.warnings)


async def test_auto_spreads_out_as_long_as_there_is_no_model(world: World) -> None:
    outcome = await mined(world, await an_attempt(world, model=None), "sys.exit(1)")

    summary = outcome.result.summary
    assert (summary["chosen"], summary["because"]) == ({"dedup": 1.0, "typiclust": 1.0}, "there is no model yet")
    assert len(await world.rows(outcome)) == 2


@pytest.mark.parametrize(
    ("labels", "purposes", "chosen"),
    [
        (20, ("training", "mining", "infer"), "two_stage"),
        (2, ("training", "mining", "infer"), {"dedup": 1.0, "typiclust": 1.0}),
        (20, ("training", "mining"), "executor"),
    ],
)
async def test_auto_goes_by_what_is_labeled_and_what_the_executor_can(
    world: World, labels: int, purposes: Sequence[str], chosen: object
) -> None:
    work = await an_attempt(world, model=await a_model(world, labels=labels))

    outcome = await mined(world, work, purposes=purposes)

    assert outcome.result.summary["chosen"] == chosen
    assert len(await picked(world, outcome)) == 2


async def test_an_algorithm_of_the_executor_is_chosen_in_its_config(world: World) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="aldd")

    await mined(world, work)

    assert config_of(work)["mining_algorithm"] == "aldd"


async def test_an_executor_without_algorithms_is_refused(world: World) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="cald")
    await world.executor("exit 1\n")

    with pytest.raises(Invalid, match="has no mining_algorithm"):
        await mine(work, **world.tools())


async def test_a_strategy_that_needs_a_model_is_refused_without(world: World) -> None:
    with pytest.raises(Invalid, match="needs a model"):
        await mined(world, await an_attempt(world, model=None, strategy="entropy"))


async def test_near_duplicates_among_picks_are_counted(world: World) -> None:
    hashes = [bytes(32), bytes(31) + b"\x01", b"\xff" * 32]
    inputs = {"/source": await world.version(await world.pictures([None] * 3, hashes=hashes))}
    fields = {"dataset": "mined", "source": "pool", "top_k": 3, "strategy": "random"}

    outcome = await mined(world, world.work(MineParameters.model_validate(fields), inputs))

    assert outcome.result.summary["near_duplicates_among_picks"] == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("numpy.zeros((len(images), 2), int)", "must be floats"),
        ("numpy.zeros((len(images) + 1, 2), 'f4')", "it must have 7 rows"),
        ("numpy.full((len(images), 2), numpy.nan, 'f4')", "row 1 has a number that is not finite"),
        ("numpy.array([object()] * len(images))", "no array"),
    ],
)
async def test_malformed_embeddings_name_the_rule(world: World, content: str, told: str) -> None:
    work = await an_attempt(world, model=await a_model(world), strategy="kcenter")
    script = f"{SEES}\nimport numpy\nnumpy.save(out['root_dir'] + '/embeddings.npy', {content})\n"

    outcome = await mined(world, work, script)

    assert outcome.problem is not None
    assert told in outcome.problem.detail
    assert outcome.problem.detail.startswith("embeddings.npy: ")


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4'", b"PK\x03\x04"])
def test_embeddings_that_are_no_array_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "embeddings.npy").write_bytes(data)

    with pytest.raises(Invalid, match="no array in NumPy's format"):
        read_embeddings(tmp_path / "embeddings.npy", images=1)


def test_a_link_is_not_followed_for_embeddings(tmp_path: Path) -> None:
    np.save(tmp_path / "elsewhere.npy", np.zeros((1, 2), np.float32))
    (tmp_path / "embeddings.npy").symlink_to(tmp_path / "elsewhere.npy")

    assert read_embeddings(tmp_path / "embeddings.npy", images=1) is None


def test_pixels_tell_colours_and_edges_apart(tmp_path: Path) -> None:
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[::8] = 255
    pictures = {"red": np.full((80, 80, 3), (200, 0, 0), np.uint8), "across": stripes, "down": stripes.swapaxes(0, 1)}
    paths = []
    for name, pixels in pictures.items():
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "PNG")
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data.getvalue())
    (tmp_path / "broken").write_bytes(b"no image")

    features = pixel_features([*paths, paths[0], tmp_path / "broken"])

    distances = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    assert features.shape == (5, DIMENSIONS)
    assert distances[0, 3] == 0
    assert min(distances[0, 1], distances[0, 2], distances[1, 2]) > 0.5
    assert not features[4].any()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_pixels_are_those_of_the_picture_as_displayed(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[0:64:8, :64] = 255
    shown = Image.fromarray(stripes)
    stored = turned_upright(shown, {6: 8, 8: 6}.get(orientation, orientation))
    shown.save(tmp_path / "shown", "PNG")
    stored.save(tmp_path / "stored", kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {}))
    stored.save(tmp_path / "sideways", "PNG")

    upright, turned, sideways = pixel_features([tmp_path / name for name in ("shown", "stored", "sideways")])

    assert ((upright - turned) ** 2).sum() < 0.05
    assert ((upright - sideways) ** 2).sum() > 0.5
