"""A server that is missing: a skip on a laptop, a failure in CI."""

import pytest

from tests.servers.found import required


def test_a_server_that_is_there_is_used() -> None:
    required("MongoDB", install="apt-get install mongodb", found=True)


def test_without_a_server_a_laptop_skips_and_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="apt-get install mongodb"):
        required("MongoDB", install="apt-get install mongodb", found=False)


def test_without_a_server_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")

    with pytest.raises(pytest.fail.Exception, match="no MongoDB here"):
        required("MongoDB", install="apt-get install mongodb", found=False)
