"""What the tests of faults share: servers of their own, and a deployment on them."""

from collections.abc import Iterator

import pytest

from tests.faults.servers import Servers, own_servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Return running servers; a test leaves them running."""
    with own_servers(tmp_path_factory.mktemp("faults") / "servers") as servers:
        yield servers
