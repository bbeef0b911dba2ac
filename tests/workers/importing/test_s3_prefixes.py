"""Imports from a prefix of an S3 server."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minio import Minio

from schemas.errors import Invalid, Unavailable, YmirError
from schemas.exchange_parameters import ImportParameters
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg, a_voc_folder
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.s3_prefixes import fetch_prefix, file_of


class Lake:
    """A bucket with things in it, and the settings that name its server."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.bucket = f"lake-{uuid4().hex[:8]}"
        self._url = settings["YMIR_S3_URL"].rpartition("/")[0]
        self._keys = {"access_key": settings["YMIR_S3_ACCESS_KEY"], "secret_key": settings["YMIR_S3_SECRET_KEY"]}
        self._client = Minio(
            self._url.partition("://")[2],
            access_key=self._keys["access_key"],
            secret_key=self._keys["secret_key"],
            secure=False,
            region="us-east-1",
        )
        self._client.make_bucket(self.bucket)

    def put(self, folder: Path, prefix: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self._client.fput_object(self.bucket, f"{prefix}{path.relative_to(folder).as_posix()}", str(path))

    def server(self, *prefixes: str, **changes: str) -> dict[str, Any]:
        return {"url": self._url, **self._keys, "prefixes": prefixes or (f"{self.bucket}/",), **changes}

    def settings(self, **servers: dict[str, Any]) -> dict[str, Any]:
        return {"import_s3": servers or {"lake": self.server()}}


@pytest.fixture
def lake(s3_settings: Mapping[str, str]) -> Lake:
    return Lake(s3_settings)


def asked(address: str, **source: str) -> ImportParameters:
    return ImportParameters.model_validate(
        {"dataset": "pictures", "source": {"s3": address, **source}, "unknown_classes": "add"}
    )


async def refusal(lake: Lake, folder: Path, address: str, *, server: str | None = None, **settings: Any) -> YmirError:  # noqa: ANN401 - any field
    with pytest.raises((Invalid, Unavailable)) as caught:
        await fetch_prefix(
            address,
            folder,
            server=server,
            settings=ImportSettings.model_validate({**lake.settings(), **settings}),
            progress=lambda _, __: None,
        )
    assert "for-tests-only" not in f"{caught.value} {caught.value.step}"
    return caught.value


async def test_a_prefix_is_imported_like_the_folder_that_it_is(place: Place, pool: ImagePool, lake: Lake) -> None:
    folder = a_voc_folder(place.folder / "voc")
    lake.put(folder, "deep/down/")
    lake.put(folder, "deep/downwards/")

    outcomes = [
        await place.run(pool, asked(f"s3://{lake.bucket}/{prefix}"), **lake.settings())
        for prefix in ("deep/down", "deep/down/")
    ]

    expected = draft_of(await place.imported(pool, folder)).digest
    assert [draft_of(outcome).digest for outcome in outcomes] == [expected] * 2


async def test_an_archive_and_an_image_are_imported_by_their_names(place: Place, pool: ImagePool, lake: Lake) -> None:
    folder = a_voc_folder(place.folder / "voc")
    shutil.make_archive(str(place.folder / "packed" / "voc"), "zip", folder)
    (place.folder / "packed" / "one.jpg").write_bytes(a_jpeg())
    lake.put(place.folder / "packed", "files/")

    archive = await place.run(pool, asked(f"s3://{lake.bucket}/files/voc.zip"), **lake.settings())
    image = await place.run(pool, asked(f"s3://{lake.bucket}/files/one.jpg"), **lake.settings())

    assert draft_of(archive).digest == draft_of(await place.imported(pool, folder)).digest
    assert draft_of(image).counts.images == 1


async def test_a_prefix_that_is_not_allowed_is_not_read(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    lake.put(tmp_path, "open/")
    lake.put(tmp_path, "opened/")
    settings = lake.settings(lake=lake.server(f"{lake.bucket}/open/"))

    for address in ("opened", "opened/a", "", "open/../opened", "open//../opened", "open/./a"):
        assert (await refusal(lake, tmp_path, f"s3://{lake.bucket}/{address}", **settings)).step


async def test_of_several_servers_the_one_that_has_the_prefix_is_meant_or_the_one_that_is_named(
    lake: Lake, place: Place, pool: ImagePool
) -> None:
    folder = a_voc_folder(place.folder / "voc")
    lake.put(folder, "a/")
    other = lake.server("elsewhere/")
    twice = lake.settings(lake=lake.server(), river=lake.server())

    found = await place.run(pool, asked(f"s3://{lake.bucket}/a"), **lake.settings(lake=lake.server(), other=other))
    named = await place.run(pool, asked(f"s3://{lake.bucket}/a", server="river"), **twice)
    both = await refusal(lake, place.folder, f"s3://{lake.bucket}/a", **twice)
    unknown = await refusal(lake, place.folder, f"s3://{lake.bucket}/a", server="sea")

    assert draft_of(found).digest == draft_of(named).digest
    assert "lake, river" in both.detail
    assert "'sea'" in unknown.detail


async def test_what_is_not_there_is_told(lake: Lake, tmp_path: Path) -> None:
    missing = await refusal(lake, tmp_path, f"s3://{lake.bucket}/none")
    bucket = await refusal(
        lake, tmp_path, "s3://no-such-bucket/a", **lake.settings(lake=lake.server("no-such-bucket/"))
    )

    assert "nothing at" in missing.detail
    assert "nothing at" in bucket.detail


async def test_keys_that_the_server_refuses_are_told(lake: Lake, tmp_path: Path) -> None:
    wrong = lake.settings(lake=lake.server(secret_key="wrong"))  # noqa: S106 - as it says

    error = await refusal(lake, tmp_path, f"s3://{lake.bucket}/a", **wrong)

    assert isinstance(error, Invalid)
    assert "does not let us" in error.detail
    assert "YMIR_IMPORT_S3" in error.step


async def test_more_than_the_limits_is_refused(lake: Lake, tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(bytes(1_000))
    lake.put(tmp_path, "a/")
    to = tmp_path / "to"
    to.mkdir()

    many = await refusal(lake, to, f"s3://{lake.bucket}/a", archive_members=3)
    large = await refusal(lake, to, f"s3://{lake.bucket}/a", download_bytes=3_999)

    assert "more than 3 objects" in many.detail
    assert "more than 3999 bytes" in large.detail


async def test_a_server_that_is_not_there_is_unavailable(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.s3_prefixes.TRIES", 0)

    error = await refusal(
        lake, tmp_path, f"s3://{lake.bucket}/a", **lake.settings(lake=lake.server(url="http://127.0.0.1:1"))
    )

    assert isinstance(error, Unavailable)


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "a//b", ".", "", "a\0b", "a/."])
def test_a_name_that_would_lie_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="no file can have"):
        file_of(tmp_path, name, key=name)


@given(st.text(max_size=20))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/scratch/fetched")
    try:
        path = file_of(folder, name, key=name)
    except Invalid:
        return

    assert Path(os.path.normpath(path)).is_relative_to(folder)
    assert path != folder


def test_the_keys_are_not_shown(lake: Lake) -> None:
    assert "for-tests-only" not in repr(ImportSettings.model_validate(lake.settings()))
