"""Infer: predictions of every image become a layer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import Invalid, NotFound
from schemas.model_parameters import InferParameters, TrainParameters
from schemas.models import Model
from schemas.outcomes import Outcome
from tests.workers.loop_world import CAT, MINES, TRAINS, World, a_world, mines, python
from workers.handlers.infer import infer
from workers.handlers.train import train
from workers.work import Work


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def an_attempt(world: World, **changes: object) -> Work[InferParameters]:
    await world.executor(TRAINS)
    inputs = {
        "/training/0/ref": await world.version(await world.pictures([[CAT]], seed=8)),
        "/validation/0": await world.version(await world.pictures([[CAT]], seed=9)),
    }
    asked = TrainParameters.model_validate(
        {"executor": "fake", "training": [{"ref": "a"}], "validation": ["b"], "model": "animals", "classes": ["cat"]}
    )
    model = await world.keep_model(await train(world.work(asked, inputs), **world.tools()))
    source = await world.version(await world.pictures([None, [CAT], []]))
    fields = {"executor": "fake", "dataset": "predicted", "source": "pool", "model": {"id": model.id}}
    return world.work(InferParameters.model_validate({**fields, **changes}), {"/source": source})


async def inferred(world: World, work: Work[InferParameters], script: str = MINES) -> Outcome:
    await world.executor(script)
    return await infer(work, **world.infer_tools())


async def test_every_image_is_in_the_layer_those_without_a_find_as_empty(world: World) -> None:
    outcome = await inferred(world, await an_attempt(world))

    rows = (await world.rows(outcome)).values()
    layers = [row.layers["animals@second"] for row in rows]
    assert sorted(len(layer) for layer in layers) == [0, 1, 1]
    found = next(layer[0] for layer in layers if layer)
    assert (found.class_name, found.box, found.confidence) == ("cat", (1.0, 2.0, 3.0, 4.0), 0.75)


async def test_a_picture_that_is_stored_on_its_side_is_shown_upright(world: World) -> None:
    pictures = await world.photograph([], width=100, height=80, orientation=6)
    work = await an_attempt(world)
    work = world.work(work.parameters, {"/source": await world.version(pictures)})

    outcome = await inferred(world, work)

    (row,) = (await world.rows(outcome)).values()
    with Image.open(next((work.scratch / "in/assets").rglob("*.jpg"))) as shown:
        assert (shown.size, dict(shown.getexif())) == ((100, 80), {})
    assert row.layers["animals@second"][0].box == (1.0, 2.0, 3.0, 4.0)


async def test_the_other_layers_stay(world: World) -> None:
    outcome = await inferred(world, await an_attempt(world))

    rows = (await world.rows(outcome)).values()
    assert sorted(len(row.layers["ground_truth"]) for row in rows if "ground_truth" in row.layers) == [0, 1]


async def test_classes_that_the_model_does_not_have_are_dropped_and_counted(world: World) -> None:
    outcome = await inferred(world, await an_attempt(world))

    assert outcome.result.summary["predictions"] == 2
    assert outcome.result.summary["predictions_of_unknown_classes"] == {"ufo": 2}
    assert [finding.subject for finding in (await world.report(outcome)).findings] == ["ufo"]


async def test_they_are_kept_when_asked_for_and_named_with_the_layer(world: World) -> None:
    outcome = await inferred(world, await an_attempt(world, keep_other_classes=True))

    rows = (await world.rows(outcome)).values()
    found = {one.class_name for row in rows for one in row.layers["animals@second"]}
    origin = (await world.content(outcome)).layers["animals@second"].predictions
    assert found == {"cat", "ufo"}
    assert origin is not None
    assert origin.classes == ("cat", "ufo")


async def test_what_cannot_be_the_name_of_a_class_is_dropped_even_then(world: World) -> None:
    work = await an_attempt(world, keep_other_classes=True)

    outcome = await inferred(world, work, mines(name="'a, b'"))

    assert outcome.result.summary["predictions_of_unknown_classes"] == {"a, b": 2}


async def test_a_class_that_the_model_calls_by_an_alias_gets_its_main_name(world: World) -> None:
    work = await an_attempt(world)
    models = world.database.documents(Model)
    model = await models.get(work.parameters.model.id)
    await models.replace(model.successor(classes=("kitty", "unheard of")), was=model)

    outcome = await inferred(world, work, mines(name="'kitty'"))

    rows = (await world.rows(outcome)).values()
    origin = (await world.content(outcome)).layers["animals@second"].predictions
    assert {one.class_name for row in rows for one in row.layers["animals@second"]} == {"cat"}
    assert origin is not None
    assert origin.classes == ("cat", "unheard of")


async def test_only_predictions_that_are_sure_enough_are_kept_the_surest_of_each_image(world: World) -> None:
    work = await an_attempt(world, confidence=0.4, max_per_image=2)
    boxes = ", ".join(f"({score}, {score * 10})" for score in (0.3, 0.5, 0.4, 0.9))
    script = python(
        f"boxes = [{{'box': dict(x=x, y=1, w=2, h=2), 'class_name': 'cat', 'score': s}} for s, x in ({boxes})]\n"
        "found = {pathlib.Path(image).name: {'boxes': boxes} for image in lines(given['candidate_index_file'])}\n"
        "json.dump({'detection': found}, open(out['infer_result_file'], 'w'))\n"
    )

    outcome = await inferred(world, work, script)

    layers = [row.layers["animals@second"] for row in (await world.rows(outcome)).values()]
    assert [[one.confidence for one in layer] for layer in layers] == [[0.5, 0.9]] * 3
    assert outcome.result.summary["predictions_left_out"] == 6


async def test_the_same_inference_has_the_same_digest(world: World) -> None:
    work = await an_attempt(world)
    again = world.work(work.parameters, {"/source": work.task.version_of("/source")})

    first, second = await inferred(world, work), await inferred(world, again)

    assert first.records[0].digest == second.records[0].digest  # type: ignore[union-attr]  # both are versions


async def test_the_layer_can_be_named_and_not_like_the_ground_truth(world: World) -> None:
    work = await an_attempt(world, layer="second-opinion")

    assert "second-opinion" in (await world.content(await inferred(world, work))).layers
    with pytest.raises(Invalid, match="not for predictions"):
        await inferred(world, await an_attempt(world, layer="ground_truth"))


async def test_a_stage_that_does_not_exist_is_named_with_those_that_do(world: World) -> None:
    work = await an_attempt(world)
    parameters = work.parameters.model_copy(
        update={"model": work.parameters.model.model_copy(update={"stage": "third"})}
    )

    with pytest.raises(NotFound) as caught:
        await inferred(world, world.work(parameters, {"/source": work.task.version_of("/source")}))

    assert "first, second" in caught.value.step


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 0\n", "did not write infer-result.json"),
        ("echo '{' > out/infer-result.json\n", "it is not JSON"),
        ("echo '[]' > out/infer-result.json\n", "must hold an object under detection"),
        ("""echo '{"detection": {"a.jpg": {"boxes": []}}}' > out/infer-result.json\n""", "no such image"),
        (mines(box="1, 2, -3, 4"), "not negative"),
        (mines(box="500, 2, 3, 4"), "outside of the image of 100 x 80 pixels"),
        (mines(box="1, 2, 3, '4'"), "finite numbers"),
        (mines(name="7"), ".class_name: It must be a text"),
    ],
)
async def test_a_malformed_result_names_file_place_and_rule(world: World, script: str, told: str) -> None:
    outcome = await inferred(world, await an_attempt(world), script)

    assert outcome.problem is not None
    assert outcome.problem.detail.startswith("infer-result.json") or "did not write" in told
    assert told in outcome.problem.detail
    assert outcome.records == ()
