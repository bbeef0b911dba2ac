"""deploy/env.sh makes the secrets of a deployment once."""

import stat
from pathlib import Path

from tests.deploy.env_file import env_file, settings_in

SECRETS = (
    "YMIR_ADMIN_KEY",
    "YMIR_LINK_KEY",
    "YMIR_AMQP_PASSWORD",
    "YMIR_MONGO_PASSWORD",
    "YMIR_MONGO_ROOT_PASSWORD",
    "YMIR_MONGO_REPLICA_KEY",
    "YMIR_S3_SECRET_KEY",
)


def test_every_secret_is_random_and_long(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    settings, others = settings_in(env_file(tmp_path)), settings_in(env_file(tmp_path / "other"))

    secrets = [made[name] for made in (settings, others) for name in SECRETS]
    assert len(set(secrets)) == 2 * len(SECRETS)
    assert {len(secret) for secret in secrets} == {64}


def test_the_secrets_are_their_owners_only(tmp_path: Path) -> None:
    (tmp_path / ".env").touch(mode=0o644)

    file = env_file(tmp_path)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_there_stays_and_what_is_new_is_added(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nYMIR_ADMIN_KEY=chosen\nYMIR_S3_URL=http://store/bucket")

    once = env_file(tmp_path).read_text()
    twice = env_file(tmp_path).read_text()

    assert twice == once
    assert once.startswith("# ours\nYMIR_ADMIN_KEY=chosen\nYMIR_S3_URL=http://store/bucket\n")
    assert set(SECRETS) < settings_in(tmp_path / ".env").keys()
