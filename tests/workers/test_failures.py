"""What becomes of a task whose handler raised."""

import errno
from datetime import UTC, datetime

import pytest

from schemas.outcomes import Outcome
from tests.factories import a_task
from workers.failures import TRIES, verdict

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_waited_for_as_everything_that_is_unavailable(number: int) -> None:
    full = OSError(number, "No room")

    early = verdict(a_task(tries=TRIES[Exception]), full, at=NOON)
    late = verdict(a_task(tries=100), full, at=NOON)

    assert isinstance(early, datetime)
    assert early > NOON
    assert isinstance(late, Outcome)
    assert late.problem is not None
    assert late.problem.detail == "The worker's disk is full: No room."
