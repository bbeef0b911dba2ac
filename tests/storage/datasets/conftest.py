"""A library over the embedded adapters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.datasets.library import Library
from storage.folder import FolderBlobs
from storage.ports import Blobs, Database
from storage.sqlite import open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "ymir.db") as opened:
        yield opened


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def library(database: Database, blobs: Blobs) -> Library:
    return Library(database, blobs)
