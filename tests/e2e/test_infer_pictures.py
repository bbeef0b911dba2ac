"""A stranger's picture, looked at over HTTP: sent, predicted on, listed, drawn; nothing of it is in a dataset."""

import asyncio
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from client.api import Client, at
from client.calls import Refused
from schemas.datasets import Dataset
from schemas.exchange_parameters import ImportParameters, ImportSource, UnknownClasses
from schemas.model_parameters import InferParameters, ModelStage, TrainParameters
from schemas.predictions import PredictedPicture
from schemas.projects import Project, ProjectSubmission
from schemas.refs import Source
from schemas.splits import Split
from schemas.uploads import Upload
from tests.e2e.service import served
from tests.workers.pictures import a_voc_file, an_object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_pictures_are_sent_looked_at_and_drawn(tmp_path: Path) -> None:
    write_scenes(tmp_path / "voc", count=12)
    picture, (x, y) = a_scene(100)

    async with served(tmp_path / "data", import_root=tmp_path) as service, service.client() as client:
        model = await trained(client, tmp_path / "voc")
        sent = await client.put(Upload, at("uploads", "square.png"), pieces_of(picture))
        asked = InferParameters(executor="tiny-detector", uploads=(sent.id,), model=model, max_per_image=1)
        task = await client.ended(await client.submit("squares", asked))
        predictions = at("tasks", task.id, "predictions")
        [found] = [one async for one in client.items(PredictedPicture, predictions)]
        # The links need no key; what they lead to is the picture, and the picture with the box.
        plain, drawn = await asyncio.gather(*(fetched(link) for link in (found.image, f"{found.drawn}&format=png")))
        with pytest.raises(Refused) as lacking:
            await client.submit("squares", asked.model_copy(update={"uploads": ("0" * 32,)}))
        datasets = [one.name async for one in client.items(Dataset, at("projects", "squares", "datasets"))]

    assert (found.file_name, found.width, found.height) == ("square.png", 120, 90)
    [annotation] = found.annotations
    assert annotation.box is not None
    assert (annotation.class_name, abs(annotation.box.x - x) < 8, abs(annotation.box.y - y) < 8) == ("cat", True, True)
    assert plain == picture
    assert (pixels(drawn) != pixels(picture)).any()
    assert lacking.value.problem.errors[0].pointer == "/uploads/0"
    assert datasets == ["train", "val"]


async def trained(client: Client, folder: Path) -> ModelStage:
    await client.post(Project, at("projects"), ProjectSubmission(name="squares"))
    for name, split in (("train", Split.TRAINING), ("val", Split.VALIDATION)):
        source = ImportSource(path=str(folder / name))
        asked = ImportParameters(source=source, dataset=name, split=split, unknown_classes=UnknownClasses.ADD)
        await client.ended(await client.submit("squares", asked))
    asked_training = TrainParameters(
        executor="tiny-detector", training=(Source(ref="train"),), validation=("val",), model="m", classes=("cat",)
    )
    task = await client.ended(await client.submit("squares", asked_training))
    assert task.result.model is not None
    return ModelStage(id=task.result.model)


def write_scenes(folder: Path, *, count: int) -> None:
    for number in range(count):
        place = folder / ("val" if number % 4 == 0 else "train")
        for part in ("images", "annotations"):
            (place / part).mkdir(parents=True, exist_ok=True)
        data, (x, y) = a_scene(number)
        (place / "images" / f"{number}.png").write_bytes(data)
        (place / "annotations" / f"{number}.xml").write_text(a_voc_file(an_object(box=(x, y, x + 28, y + 24))))


def a_scene(seed: int) -> tuple[bytes, tuple[int, int]]:
    """Return a grey picture with a red square, and where that is."""
    x, y = (int(place) for place in np.random.default_rng(seed).integers(5, 60, 2))
    shown = np.full((90, 120, 3), 110, np.uint8)
    shown[y : y + 24, x : x + 28] = (220, 30, 30)
    written = io.BytesIO()
    Image.fromarray(shown).save(written, "PNG")
    return written.getvalue(), (x, y)


def pieces_of(data: bytes) -> Any:  # noqa: ANN401 - what a client takes as the pieces of a body
    async def pieces() -> Any:  # noqa: ANN401 - as above
        yield data

    return pieces


async def fetched(link: str) -> bytes:
    def read() -> bytes:
        assert urlsplit(link).scheme == "http"
        with urlopen(link, timeout=60) as answer:  # noqa: S310 - its scheme is looked at above
            data: bytes = answer.read()
        return data

    return await asyncio.to_thread(read)


def pixels(data: bytes) -> Any:  # noqa: ANN401 - an array of numpy
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
