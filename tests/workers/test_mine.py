"""Mine: the candidates that are wanted most become a version."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from schemas.model_parameters import MineParameters, TrainParameters
from schemas.outcomes import Outcome
from schemas.schema import Id
from tests.workers.loop_world import CAT, MINES, TRAINS, World, a_world, config_of, mines
from workers.handlers.mine import mine
from workers.handlers.train import train
from workers.work import Work


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def a_model(world: World) -> Id:
    await world.executor(TRAINS)
    inputs = {
        "/training/0/ref": await world.version(await world.pictures([[CAT]], seed=8)),
        "/validation/0": await world.version(await world.pictures([[CAT]], seed=9)),
    }
    asked = TrainParameters.model_validate(
        {"executor": "fake", "training": [{"ref": "a"}], "validation": ["b"], "model": "animals", "classes": ["cat"]}
    )
    return (await world.keep_model(await train(world.work(asked, inputs), **world.tools()))).id


async def an_attempt(world: World, *, labeled: bool = False, **changes: object) -> Work[MineParameters]:
    model = await a_model(world)
    inputs = {"/source": await world.version(await world.pictures([None, None, [CAT], None, None]))}
    if labeled:
        inputs["/labeled/0"] = await world.version(await world.pictures([None, None]))
    fields = {
        "executor": "fake",
        "dataset": "mined",
        "source": "pool",
        "model": {"id": model},
        "strategy": "executor",
        "top_k": 2,
        "labeled": ["labels"] if labeled else [],
    }
    return world.work(MineParameters.model_validate({**fields, **changes}), inputs)


async def mined(world: World, work: Work[MineParameters], script: str = MINES) -> Outcome:
    await world.executor(script)
    return await mine(work, **world.tools())


async def test_the_first_of_the_executor_are_kept_and_ranked_in_the_report(world: World) -> None:
    work = await an_attempt(world)

    outcome = await mined(world, work)

    source = await world.library.version(work.task.version_of("/source"))
    everything = await world.library.content(source.digest)
    assets = [row.asset async for row in world.library.rows(everything)]
    best = sorted(assets, key=lambda asset: asset[-2:] + asset, reverse=True)[:2]
    assert [finding.subject for finding in (await world.report(outcome)).findings] == best
    assert set(await world.rows(outcome)) == set(best)


async def test_the_ground_truth_stays_as_it_is(world: World) -> None:
    outcome = await mined(world, await an_attempt(world, top_k=5))

    layers = [row.layers for row in (await world.rows(outcome)).values()]
    assert [len(layer[GROUND_TRUTH]) for layer in layers if layer] == [1]


async def test_the_model_is_given_to_the_executor(world: World) -> None:
    work = await an_attempt(world, config={"mining_algorithm": "entropy"})

    await mined(world, work)

    config = config_of(work)
    assert config["model_params_path"] == [str(work.scratch / "in/models/second/weights.bin")]
    assert (config["run_mining"], config["run_infer"]) == (1, 0)
    assert config["mining_algorithm"] == "entropy"


async def test_what_is_labeled_is_no_candidate(world: World) -> None:
    outcome = await mined(world, await an_attempt(world, labeled=True, top_k=3))

    assert outcome.result.summary["candidates"] == 3
    assert any("all are kept" in warning for warning in outcome.warnings)
    assert len(await world.rows(outcome)) == 3


async def test_no_candidate_at_all_is_refused(world: World) -> None:
    model = await a_model(world)
    same = await world.version(await world.pictures([None]))
    asked = MineParameters.model_validate(
        {"executor": "fake", "dataset": "d", "source": "s", "model": {"id": model}, "top_k": 1, "labeled": ["s"]}
    )

    with pytest.raises(Invalid, match="no candidate"):
        await mined(world, world.work(asked, {"/source": same, "/labeled/0": same}))


async def test_random_picks_need_no_executor_and_depend_on_the_seed_only(world: World) -> None:
    picks = []
    for seed in (1, 1, 2):
        work = await an_attempt(world, strategy="random", seed=seed)
        picks.append(set(await world.rows(await mined(world, work, "exit 1\n"))))

    assert picks[0] == picks[1]
    assert len(picks[2]) == 2


async def test_an_unknown_strategy_lists_those_that_are_known(world: World) -> None:
    with pytest.raises(Invalid, match="psychic") as caught:
        await mined(world, await an_attempt(world, strategy="psychic"))

    assert "executor, aldd, cald, random" in caught.value.detail


async def test_predictions_are_kept_as_a_layer_when_asked_for(world: World) -> None:
    outcome = await mined(world, await an_attempt(world, keep_predictions=True, top_k=5))

    rows = (await world.rows(outcome)).values()
    found = [row.layers["animals@second"] for row in rows]
    assert sorted(len(layer) for layer in found) == [0, 0, 1, 1, 1]
    predictions = (await world.content(outcome)).layers["animals@second"].predictions
    assert predictions is not None
    assert predictions.classes == ("cat",)
    assert outcome.result.summary["predictions_of_unknown_classes"] == {"ufo": 3}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 0\n", "did not write result.tsv"),
        ('echo "assets/ab/nothing.jpg\t1" > out/result.tsv\n', "result.tsv, line 1: "),
        (mines(scores="math.nan"), "result.tsv, line 1: The score must be finite"),
        ("head -1 in/candidate-index.tsv > out/result.tsv\n", "A line is a path, a tab and a score"),
        ('printf "\\377\\376" > out/result.tsv\n', "not UTF-8"),
    ],
)
async def test_a_malformed_ranking_names_file_line_and_rule(world: World, script: str, told: str) -> None:
    outcome = await mined(world, await an_attempt(world), script)

    assert outcome.problem is not None
    assert told in outcome.problem.detail
    assert outcome.log is not None
    assert outcome.records == ()


async def test_a_ranking_that_is_not_sorted_is_taken_as_it_stands_with_a_warning(world: World) -> None:
    outcome = await mined(world, await an_attempt(world), mines(scores="place"))

    assert outcome.problem is None
    assert any("not in descending order" in warning for warning in outcome.warnings)
