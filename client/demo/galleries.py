"""The pictures of the report, drawn by the service."""

from collections.abc import Sequence
from typing import Final

from client.api import Client
from client.demo.loop import MINED, Run
from client.demo.report import Galleries, Picture
from schemas.pages import Page
from schemas.schema import AssetId, Schema

SHOWN: Final = 12
SIDE: Final = 256
CONFIDENT: Final = "0.5"


class Listed(Schema):
    """What the galleries need of a listed asset."""

    asset: AssetId
    file_name: str = ""


async def galleries(client: Client, runs: Sequence[Run]) -> Galleries:
    """Draw validation images with the last predictions of the first seed, and the images that it mined."""
    run = runs[0]
    mined = run.of(MINED)
    validation = await _drawn(client, run, mined[-1].predicted, layers="ground_truth,predictions")
    picked = [
        picture
        for measured in mined[1:]
        for picture in await _drawn(
            client, run, _labeled(measured.number), layers="ground_truth", prefix=f"round {measured.number}: "
        )
    ]
    return Galleries(validation, picked)


def _labeled(number: int) -> str:
    return f"{MINED}-labeled@r{number}"


async def _drawn(client: Client, run: Run, ref: str, *, layers: str, prefix: str = "") -> list[Picture]:
    dataset, _, tag = ref.partition("@")
    assets = f"/v1/projects/{run.project}/datasets/{dataset}/versions/{tag}/assets"
    listed = (await client.get(Page[Listed], assets, limit=SHOWN)).items
    return [
        Picture(
            await client.read(f"{assets}/{item.asset}/thumbnail", size=SIDE, layers=layers, confidence=CONFIDENT),
            prefix + item.file_name,
        )
        for item in listed
    ]
