"""The example of docs/client.md does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from client.http import HttpCalls
from client.reach import Target, reached
from client.secret_files import ADMIN_KEY, secret
from tests.workers.pictures import a_voc_folder

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


async def test_the_example_of_the_client_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_voc_folder(tmp_path / "voc")
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - ours

    async with reached(Target(data=tmp_path / "data")) as (client, _):
        assert isinstance(client.calls, HttpCalls)
        await names["main"](client.calls.url, secret(tmp_path / "data", ADMIN_KEY))

    said = capsys.readouterr().out
    assert "train@1 {'format': 'voc'" in said
    assert "cat 3" in said
    assert "/source There is no dataset 'trian'." in said
    assert (tmp_path / "few.zip").stat().st_size > 1_000
