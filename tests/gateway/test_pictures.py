"""A picture is shown as what it is, and whatever is none is never run by a browser."""

from typing import Any

import pytest

from storage.datasets.rows import ImageRow
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", "image/png; charset=utf-7", "", "\n"])
async def test_what_a_segment_calls_a_picture_and_is_none_is_sent_as_bytes(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, media_type: str
) -> None:
    made = World._image

    async def of_a_stranger(world: World, shade: int) -> ImageRow:
        return (await made(world, shade))._replace(media_type=media_type)

    monkeypatch.setattr(World, "_image", of_a_stranger)
    await world.version(shades=[10])

    head = await image_head(api)

    assert head["Content-Type"] == "application/octet-stream"
    assert head["X-Content-Type-Options"] == "nosniff"
    assert head["Content-Security-Policy"] == "default-src 'none'; sandbox"


async def test_a_picture_is_sent_as_what_it_is_and_never_guessed_at(api: Api, world: World) -> None:
    await world.version(shades=[10])

    head = await image_head(api)

    assert (head["Content-Type"], head["X-Content-Type-Options"]) == ("image/png", "nosniff")


async def image_head(api: Api) -> Any:  # noqa: ANN401 - headers of aiohttp
    pool = f"/v1/projects/{PROJECT}/datasets/pool/versions/1/assets"
    [listed] = (await api.get(pool))["items"]
    headers = {"Authorization": f"Bearer {api.secret}"}
    return (await api.client.get(f"{pool}/{listed['asset']}/image", headers=headers)).headers
