"""What every test of a command leaves behind it."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands say where logs go; that may be a stream of their test alone."""
    yield
    structlog.reset_defaults()
