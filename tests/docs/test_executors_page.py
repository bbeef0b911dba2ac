"""The executor of docs/executors.md keeps the contract."""

import re
from pathlib import Path

import pytest

from schemas.conformance import Verdict
from tests.executors.verifying import broken, verified
from workers.executors.conformance.plans import Plan

PAGE = Path(__file__).parents[2] / "docs" / "executors.md"


@pytest.mark.slow
async def test_the_executor_of_the_page_keeps_every_rule(tmp_path: Path) -> None:
    files = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    for name, content in files.items():
        (tmp_path / "executor" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "executor" / name).write_text(content)

    found = await verified(tmp_path / "executor", Plan())

    assert len(files) == 5
    assert broken(found) == {}
    assert found.count(Verdict.KEPT) > 40
