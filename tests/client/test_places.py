"""The folders beside a data folder, and who uses them."""

from pathlib import Path

import pytest

from client.data_blobs import own_blobs_of
from client.places import other_users, read_places, start_places, use_folder, watched_places
from schemas.errors import Invalid


def a_data_folder(path: Path) -> Path:
    path.mkdir()
    start_places(path)
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_the_folder_given_last_takes_what_is_new(tmp_path: Path) -> None:
    data, one, two = a_data_folder(tmp_path / "data"), a_folder(tmp_path / "one"), a_folder(tmp_path / "two")

    for folder in (one, two, one, two):
        use_folder(data, "images", folder)

    assert read_places(data).images == (two, one)
    assert read_places(data).for_type("image/png") == two
    assert read_places(data).for_type("application/zip") is None


def test_what_another_process_adds_is_seen(tmp_path: Path) -> None:
    data, folder = a_data_folder(tmp_path / "data"), a_folder(tmp_path / "one")
    now = watched_places(data)
    assert now().folders == ()

    use_folder(data, "models", folder)

    assert now().models == (folder,)


def test_a_folder_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    data = a_data_folder(tmp_path / "data")

    with pytest.raises(Invalid) as caught:
        use_folder(data, "images", tmp_path / "gone")

    assert caught.value.step == f"Make it first: mkdir -p {tmp_path / 'gone'}"


def test_users_of_a_folder_know_of_each_other(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "assets")
    one, two = a_data_folder(tmp_path / "a"), a_data_folder(tmp_path / "b")

    use_folder(one, "images", folder)
    assert other_users(folder, read_places(one)) == []
    use_folder(two, "images", folder)

    assert other_users(folder, read_places(one)) == [str(two)]
    assert other_users(folder, read_places(two)) == [str(one)]


async def test_a_collection_leaves_a_shared_folder_alone(tmp_path: Path) -> None:
    shared, own = a_folder(tmp_path / "shared"), a_folder(tmp_path / "own")
    one, two = a_data_folder(tmp_path / "a"), a_data_folder(tmp_path / "b")
    for data, folder in ((one, shared), (two, shared), (one, own)):
        use_folder(data, "images", folder)
    for folder in (shared, own):
        (folder / "00").mkdir()
        (folder / "00" / f"{'0' * 64}").write_bytes(b"x")
    (own / "00" / f"{'0' * 64}").rename(own / "00" / f"{'1' * 62}00")
    told: list[str] = []

    listed = [blob.digest async for blob in own_blobs_of(one, tell=told.append).list()]

    assert listed == [f"sha256:{'1' * 62}00"]
    assert told == [f"{shared} is used by {two} as well: nothing is removed there"]
