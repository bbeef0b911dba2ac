"""What every home for blobs counts."""

from pathlib import Path

from prometheus_client import REGISTRY

from storage.ports import Blobs


def counted(way: str) -> float:
    return REGISTRY.get_sample_value("ymir_blob_bytes_total", {"way": way}) or 0.0


async def test_bytes_are_counted_when_they_move(blobs: Blobs, tmp_path: Path) -> None:
    written, read = counted("written"), counted("read")

    kept = await blobs.put(b"x" * 100)
    await blobs.put(b"x" * 100)
    await blobs.get(kept.digest)
    await blobs.fetch(kept.digest, tmp_path / "copy")
    async for _ in blobs.stream(kept.digest, start=90):
        pass

    assert (counted("written") - written, counted("read") - read) == (100, 210)
