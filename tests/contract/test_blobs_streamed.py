"""How every home for blobs must stream them, whole or in part."""

import pytest

from schemas.errors import Invalid
from storage.ports import Blobs
from tests.contract.reading_blobs import LARGE, streamed


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 1), (0, 0), (5, None), (5, 10), (1 << 20, 5), ((1 << 20) - 3, 6), (3_000_000, 1_000), (2_999_990, None)],
)
async def test_a_part_is_streamed(blobs: Blobs, start: int, length: int | None) -> None:
    data = LARGE[:3_000_000]
    ref = await blobs.put(data)

    part = await streamed(blobs, ref.digest, start=start, length=length)

    assert part == data[start : None if length is None else start + length]


async def test_what_lies_beyond_the_end_is_nothing(blobs: Blobs) -> None:
    ref = await blobs.put(b"0123456789")

    assert await streamed(blobs, ref.digest, start=10) == b""
    assert await streamed(blobs, ref.digest, start=99, length=5) == b""
    assert await streamed(blobs, ref.digest, start=8, length=99) == b"89"
    assert await streamed(blobs, ref.digest, length=99) == b"0123456789"


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
async def test_a_part_before_the_beginning_is_refused(blobs: Blobs, start: int, length: int | None) -> None:
    ref = await blobs.put(b"0123456789")

    with pytest.raises(Invalid):
        await streamed(blobs, ref.digest, start=start, length=length)


async def test_a_stream_may_be_left_early(blobs: Blobs) -> None:
    ref = await blobs.put(LARGE)

    async for piece in blobs.stream(ref.digest):
        assert LARGE.startswith(piece)
        break

    assert await blobs.size(ref.digest) == len(LARGE)


async def test_no_piece_is_large(blobs: Blobs) -> None:
    ref = await blobs.put(LARGE)

    sizes = [len(piece) async for piece in blobs.stream(ref.digest)]

    assert max(sizes) <= 8 << 20
