"""What a learning curve promises."""

import numpy as np
import pytest

from gateway.learning_curve import Point, fitted
from schemas.errors import Invalid
from schemas.learning import Estimate
from schemas.tasks import Input
from tests.factories import a_task
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World

PATH = f"/v1/projects/{PROJECT}/learning-curve"


def gain(points: list[Point], more: int) -> Estimate:
    curves = fitted(points)
    return curves.estimate(curves.at(points[-1].images + more) - curves.at(points[-1].images))


def test_nine_in_ten_intervals_hold_the_true_gain() -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(100):
        limit, power, images = rng.uniform(0.4, 0.95), rng.uniform(0.3, 1.2), 60 + 50 * np.arange(5)
        truth = limit - rng.uniform(0.1, 0.5) * limit * (np.array([*images, 310]) / 60) ** -power
        measured = truth[:5] + rng.normal(0, 0.015, 5)
        found = gain([Point(int(n), float(value)) for n, value in zip(images, measured, strict=True)], 50)
        held.append(found.low <= truth[5] - truth[4] <= found.high)

    assert np.mean(held) >= 0.8


def test_no_curve_falls_and_none_passes_one() -> None:
    curves = fitted([Point(50, 0.9), Point(100, 0.7), Point(150, 0.99)])

    assert (curves.at(1_000) >= curves.at(100) - 1e-12).all()
    assert curves.at(1_000_000).max() <= 1


def test_a_flat_curve_promises_less_than_a_steep_one() -> None:
    flat = gain([Point(50, 0.70), Point(100, 0.702), Point(200, 0.703), Point(400, 0.703)], 100)
    steep = gain([Point(50, 0.2), Point(100, 0.4), Point(150, 0.53), Point(200, 0.61)], 100)

    assert flat.high < 0.01 < steep.low


def test_models_of_the_same_size_are_one_number_of_images() -> None:
    with pytest.raises(Invalid, match="3 different numbers"):
        fitted([Point(50, 0.5), Point(50, 0.6), Point(100, 0.7)])


async def a_line(world: World, *values: float) -> None:
    """Make models of one line, each trained on one image more than the one before."""
    for count, value in enumerate(values, start=1):
        version = await world.version(f"training-{count}", shades=range(10, 10 + count), boxes={})
        given = Input(pointer="/training/0/ref", ref="training", version=version.id)
        task = a_task(project=world.project.id, inputs=(given,))
        await world.add(task)
        model = await world.model(task=task.id)
        stages = tuple(stage.model_copy(update={"metrics": {"mAP": value}}) for stage in model.stages)
        await world.services.database.documents(type(model)).replace(model.successor(stages=stages), was=model)


async def test_a_line_of_models_says_what_more_labels_would_add(api: Api, world: World) -> None:
    await a_line(world, 0.3, 0.5, 0.58, 0.62)

    curve = await api.get(f"{PATH}?name=detector&next=2&least=0.2")

    assert [(point["images"], point["value"]) for point in curve["points"]] == [
        (1, 0.3),
        (2, 0.5),
        (3, 0.58),
        (4, 0.62),
    ]
    assert curve["gain"]["low"] <= curve["gain"]["value"] <= curve["gain"]["high"] < 0.2
    assert curve["advice"] == "stop"


async def test_too_few_models_and_unknown_names_are_told(api: Api, world: World) -> None:
    await a_line(world, 0.3, 0.5)

    few = await api.get(f"{PATH}?name=detector", expect=422)
    unknown = await api.get(f"{PATH}?name=nobody", expect=404)
    await api.get(f"{PATH}?name=detector&next={10**400}", expect=422)

    assert "Train another model" in few["step"]
    assert "nobody" in unknown["detail"]
