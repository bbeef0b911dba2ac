"""Metrics: how many bytes went to the store of blobs and came from it, as Prometheus reads them."""

from typing import Final

from prometheus_client import Counter

_BYTES: Final = Counter("ymir_blob_bytes", "Bytes of blobs that were written to their store and read from it.", ["way"])
WRITTEN: Final = _BYTES.labels("written")
READ: Final = _BYTES.labels("read")
