"""A data folder has one owner."""

import subprocess
import sys
from pathlib import Path

import pytest

from client.data_folder import Owner, owned, owner_of
from client.secret_files import ADMIN_KEY, secret
from schemas.errors import Unavailable

HOLD = """
import sys
from pathlib import Path

from client.data_folder import owned

with owned(Path(sys.argv[1])) as tell:
    tell("http://here")
    print("owned", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_owns_the_folder_and_where_it_serves(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "owned\n"

        with pytest.raises(Unavailable, match=f"process {holder.pid} .*, at http://here"), owned(tmp_path):
            pass

        holder.kill()
        holder.wait()
        with owned(tmp_path):
            assert owner_of(tmp_path) is not None


def test_a_folder_that_was_left_has_no_owner(tmp_path: Path) -> None:
    with owned(tmp_path) as tell:
        tell("http://here")
        owner = owner_of(tmp_path)

    assert isinstance(owner, Owner)
    assert owner.url == "http://here"
    assert owner_of(tmp_path) is None


def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = secret(tmp_path, ADMIN_KEY)

    assert secret(tmp_path, ADMIN_KEY) == first
    assert len(first) >= 40
    assert (tmp_path / ADMIN_KEY).stat().st_mode & 0o077 == 0
