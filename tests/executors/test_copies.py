"""Each reference executor has all of its program in its own folder, and what they have in common is the same.

The digest of an executor is that of its folder, its image is built of that folder, and it can be copied away.
"""

import pytest

from tests.executors.contract_run import EXECUTOR

COMMON = ("annotations.py", "average_precision.py", "contract.py", "monitor.py")


@pytest.mark.parametrize("module", COMMON)
def test_what_executors_have_in_common_is_the_same_to_the_letter(module: str) -> None:
    copies = {
        (EXECUTOR.parent / folder / package / module).read_bytes()
        for folder, package in (("tiny-detector", "tiny_detector"), ("torch-detector", "torch_detector"))
    }

    assert len(copies) == 1
