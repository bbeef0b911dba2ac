"""A folder of links to what an index names."""

from pathlib import Path

import pytest

from client.mir.codes import Code, MirError
from client.mir.staging import stage
from tests.client.mir.pictures import make_pictures, write_index


def linked(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path.resolve() for path in folder.rglob("*") if path.is_symlink()}


def test_images_anywhere_are_linked_with_their_annotations(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "voc", 2, seed=1)

    staged = stage(pictures / "index.tsv", tmp_path / "into", annotations=pictures / "Annotations", suffix=".xml")

    assert staged.images == 2
    assert staged.left_out == ()
    assert linked(tmp_path / "into") == {
        "images/voc-0000.jpg": pictures / "JPEGImages" / "voc-0000.jpg",
        "images/voc-0001.jpg": pictures / "JPEGImages" / "voc-0001.jpg",
        "annotations/voc-0000.xml": pictures / "Annotations" / "voc-0000.xml",
        "annotations/voc-0001.xml": pictures / "Annotations" / "voc-0001.xml",
    }


def test_images_of_one_name_keep_the_annotations_of_that_name(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.jpg" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"an image")
    (tmp_path / "one" / "a.xml").write_text("<annotation/>")
    index = write_index(tmp_path / "index.tsv", paths)

    stage(index, tmp_path / "into", annotations=tmp_path / "one", suffix=".xml")

    assert sorted(linked(tmp_path / "into")) == [
        "annotations/2/a.xml",
        "annotations/a.xml",
        "images/2/a.jpg",
        "images/a.jpg",
    ]


def test_what_is_left_out_is_told_by_line(tmp_path: Path) -> None:
    image = tmp_path / "a.jpg"
    image.write_bytes(b"an image")
    index = tmp_path / "index.tsv"
    index.write_text(f"{image}\tmore\n\n{tmp_path}\n{tmp_path}/gone.jpg\n{image}\na.jpg\n")

    staged = stage(index, tmp_path / "into", annotations=None, suffix="")

    assert staged.images == 1
    assert staged.left_out == (
        f"{index}, line 3: {tmp_path} is a folder",
        f"{index}, line 4: {tmp_path}/gone.jpg is not there",
        "2 lines repeat an earlier one",
    )


def test_an_index_that_names_nothing_is_refused(tmp_path: Path) -> None:
    index = tmp_path / "index.tsv"
    index.write_text("/nowhere/a.jpg\n")

    with pytest.raises(MirError, match=r"line 1: /nowhere/a\.jpg is not there") as caught:
        stage(index, tmp_path / "into", annotations=None, suffix="")

    assert caught.value.code is Code.INVALID_FILE


def test_a_folder_of_annotations_that_is_not_there_is_refused(tmp_path: Path) -> None:
    index = write_index(tmp_path / "index.tsv", [])

    with pytest.raises(MirError) as caught:
        stage(index, tmp_path / "into", annotations=tmp_path / "none", suffix=".xml")

    assert caught.value.code is Code.INVALID_DATASET


def test_a_document_of_all_images_is_linked_as_it_is(tmp_path: Path) -> None:
    image = tmp_path / "a.jpg"
    image.write_bytes(b"an image")
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "coco-annotations.json").write_text("{}")

    stage(
        write_index(tmp_path / "index.tsv", [image]), tmp_path / "into", annotations=tmp_path / "coco", suffix=".json"
    )

    assert sorted(linked(tmp_path / "into")) == ["annotations/coco-annotations.json", "images/a.jpg"]
