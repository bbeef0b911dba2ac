"""What every home for blobs must do."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import Invalid, NotFound
from schemas.schema import digest_of
from storage.ports import Blobs, Source
from tests.contract.reading_blobs import LARGE, MISSING, names, streamed


async def test_bytes_are_named_by_their_sha256(blobs: Blobs) -> None:
    ref = await blobs.put(b"some bytes", media_type="text/plain")

    assert ref.digest == f"sha256:{hashlib.sha256(b'some bytes').hexdigest()}"
    assert (ref.size, ref.media_type) == (10, "text/plain")


@pytest.mark.parametrize("data", [b"", b"\x00", b"some bytes", LARGE[: 1 << 20], LARGE[: (1 << 20) + 1], LARGE])
async def test_what_was_put_comes_back_by_every_way(blobs: Blobs, data: bytes, tmp_path: Path) -> None:
    ref = await blobs.put(data)

    await blobs.fetch(ref.digest, tmp_path / "fetched")

    assert await blobs.get(ref.digest) == data
    assert await streamed(blobs, ref.digest) == data
    assert await blobs.size(ref.digest) == ref.size == len(data)
    assert (tmp_path / "fetched").read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"a picture", LARGE])
async def test_a_file_is_kept_like_its_bytes(blobs: Blobs, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    ref = await blobs.put_file(path, media_type="image/jpeg", digest=digest_of(data))

    assert ref == (await blobs.put(data)).model_copy(update={"media_type": "image/jpeg"})
    assert await blobs.get(ref.digest) == data
    assert path.read_bytes() == data


async def test_a_file_may_change_after_it_was_put(blobs: Blobs, file: Path, tmp_path: Path) -> None:
    ref = await blobs.put_file(file)

    (tmp_path / file.name).write_bytes(b"another picture")

    assert await blobs.get(ref.digest) == b"a picture"


async def test_putting_again_changes_nothing(blobs: Blobs, file: Path) -> None:
    first = await blobs.put(b"a picture")

    again = [await blobs.put(b"a picture"), await blobs.put_file(file), await blobs.put_file(file, digest=first.digest)]

    assert again == [first] * 3
    assert await names(blobs) == {first.digest}


async def test_a_hundred_may_put_the_same_bytes_at_once(blobs: Blobs) -> None:
    refs = await asyncio.gather(*(blobs.put(b"the same") for _ in range(100)))

    assert len(set(refs)) == 1
    assert await blobs.get(refs[0].digest) == b"the same"
    assert await names(blobs) == {refs[0].digest}


async def test_a_hundred_may_put_the_same_large_file_at_once(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE[: 2 << 20])

    refs = await asyncio.gather(*(blobs.put_file(path) for _ in range(20)))

    assert len(set(refs)) == 1
    assert await names(blobs) == {refs[0].digest}


async def test_a_thousand_different_blobs_put_at_once_all_stay(blobs: Blobs) -> None:
    given_data = [f"blob {number}".encode() for number in range(1_000)]

    refs = await asyncio.gather(*(blobs.put(data) for data in given_data))

    assert await names(blobs) == {digest_of(data) for data in given_data}
    assert [await blobs.get(ref.digest) for ref in refs[::100]] == given_data[::100]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary())
async def test_any_bytes_come_back(blobs: Blobs, data: bytes) -> None:
    ref = await blobs.put(data)

    assert await blobs.get(ref.digest) == data


async def test_a_file_with_another_digest_is_refused_and_not_kept(blobs: Blobs, file: Path) -> None:
    with pytest.raises(Invalid, match=digest_of(b"a picture")) as caught:
        await blobs.put_file(file, digest=MISSING)

    assert caught.value.step
    assert await names(blobs) == set()


async def test_a_large_file_with_another_digest_is_refused_and_not_kept(blobs: Blobs, tmp_path: Path) -> None:
    path, other = tmp_path / "large", await blobs.put(b"there already")
    path.write_bytes(LARGE)

    with pytest.raises(Invalid):
        await blobs.put_file(path, digest=MISSING)
    with pytest.raises(Invalid):
        await blobs.put_file(path, digest=other.digest)

    assert await names(blobs) == {other.digest}


async def test_a_file_with_the_digest_of_another_blob_is_refused(blobs: Blobs, file: Path) -> None:
    other = await blobs.put(b"another")

    with pytest.raises(Invalid):
        await blobs.put_file(file, digest=other.digest)

    assert await names(blobs) == {other.digest}


async def test_a_file_that_is_not_there_is_named(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nothing\.jpg"):
        await blobs.put_file(tmp_path / "nothing.jpg")
    with pytest.raises(Invalid, match=tmp_path.name):
        await blobs.put_file(tmp_path)

    assert await names(blobs) == set()


@pytest.mark.parametrize("count", [0, 1, 300])
async def test_many_contents_are_kept_as_each_alone_would_be(blobs: Blobs, tmp_path: Path, count: int) -> None:
    contents = [LARGE, *(f"blob {number % 250}".encode() for number in range(count))][: count + 1]
    for number, data in enumerate(contents[1::2]):
        (tmp_path / f"{number}").write_bytes(data)
    sources = [
        Source(data, digest_of(data), "image/png") if number % 2 == 0 else Source(tmp_path / f"{number // 2}")
        for number, data in enumerate(contents)
    ]

    await blobs.put_many(sources)

    assert [await blobs.get(digest_of(data)) for data in contents[::50]] == contents[::50]
    assert await names(blobs) == {digest_of(data) for data in contents}


async def test_one_of_many_that_fails_is_told_and_the_others_are_kept(blobs: Blobs, tmp_path: Path) -> None:
    sources = [Source(b"one"), Source(b"two", MISSING), Source(tmp_path / "nothing.jpg"), Source(b"three")]

    with pytest.raises(Invalid, match=digest_of(b"two")):
        await blobs.put_many(sources)

    assert await names(blobs) == {digest_of(b"one"), digest_of(b"three")}


async def test_one_file_that_fails_does_not_hurt_the_others(blobs: Blobs, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(50)]
    for path in paths[::2]:
        path.write_bytes(path.name.encode())

    answers = await asyncio.gather(*(blobs.put_file(path) for path in paths), return_exceptions=True)

    assert all(isinstance(answer, Invalid) for answer in answers[1::2])
    assert await names(blobs) == {digest_of(path.name.encode()) for path in paths[::2]}


async def test_a_put_that_is_given_up_leaves_all_or_nothing(blobs: Blobs) -> None:
    puts = [asyncio.ensure_future(blobs.put(LARGE[: (2 << 20) + number])) for number in range(8)]
    await asyncio.wait(puts, return_when=asyncio.FIRST_COMPLETED)
    for put in puts:
        put.cancel()
    await asyncio.gather(*puts, return_exceptions=True)

    whole = {digest_of(LARGE[: (2 << 20) + number]) for number in range(8)}

    assert await names(blobs) <= whole


async def test_a_fetched_file_takes_the_place_of_another(blobs: Blobs, file: Path) -> None:
    ref = await blobs.put(b"another picture")

    await blobs.fetch(ref.digest, file)

    assert content(file) == b"another picture"


async def test_a_fetch_makes_the_folders_it_needs(blobs: Blobs, tmp_path: Path) -> None:
    ref = await blobs.put(b"a picture")

    await blobs.fetch(ref.digest, tmp_path / "not" / "yet" / "there")

    assert (tmp_path / "not" / "yet" / "there").read_bytes() == b"a picture"


async def test_changing_a_fetched_file_does_not_change_the_blob(blobs: Blobs, tmp_path: Path) -> None:
    ref = await blobs.put(b"a picture")
    await blobs.fetch(ref.digest, tmp_path / "fetched")

    (tmp_path / "fetched").write_bytes(b"scribbled")

    assert await blobs.get(ref.digest) == b"a picture"


async def test_every_blob_is_listed_once(blobs: Blobs) -> None:
    refs = [await blobs.put(b"x" * number) for number in range(20)]

    listed = [blob async for blob in blobs.list()]

    assert {blob.digest: blob.size for blob in listed} == {ref.digest: ref.size for ref in refs}
    assert len(listed) == 20
    assert all(abs(datetime.now(UTC) - blob.written_at) < timedelta(minutes=5) for blob in listed)


async def test_an_empty_home_lists_nothing(blobs: Blobs) -> None:
    assert await names(blobs) == set()


async def test_a_removed_blob_is_gone_until_it_is_put_again(blobs: Blobs) -> None:
    ref = await blobs.put(b"a picture")

    await blobs.remove(ref.digest)

    with pytest.raises(NotFound):
        await blobs.get(ref.digest)
    assert await names(blobs) == set()
    await blobs.put(b"a picture")
    assert await blobs.get(ref.digest) == b"a picture"


async def test_removing_what_is_not_there_is_no_error(blobs: Blobs) -> None:
    await blobs.remove(MISSING)

    assert await names(blobs) == set()


async def test_blobs_may_be_removed_while_they_are_listed(blobs: Blobs) -> None:
    refs = [await blobs.put(f"{number}".encode()) for number in range(50)]

    async for blob in blobs.list():
        await blobs.remove(blob.digest)

    assert await names(blobs) == set()
    assert refs


def content(path: Path) -> bytes:
    return path.read_bytes()
