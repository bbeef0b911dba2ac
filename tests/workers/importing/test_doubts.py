"""What does not fit a picture is kept, and told."""

import os
import socket
from pathlib import Path

from tests.workers.imports import Place
from tests.workers.pictures import a_jpeg
from workers.image_pool import ImagePool


def a_folder(place: Place, *, size: tuple[int, int], box: tuple[int, int, int, int]) -> Path:
    folder = place.folder / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(a_jpeg(1, width=40, height=30))
    sides = "".join(f"<{name}>{side}</{name}>" for name, side in zip(("width", "height"), size, strict=True))
    corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    inside = "".join(f"<{name}>{number}</{name}>" for name, number in corners)
    found = f"<object><name>cat</name><bndbox>{inside}</bndbox></object>"
    (folder / "a.xml").write_text(f"<annotation><size>{sides}</size>{found}</annotation>")
    return folder


async def test_a_size_that_is_not_the_pictures_is_told(place: Place, pool: ImagePool) -> None:
    outcome = await place.imported(pool, a_folder(place, size=(41, 30), box=(1, 1, 5, 5)))

    (finding,) = [found for found in (await place.report(outcome)).findings if found.kind == "size"]
    assert finding.subject == "a.jpg"
    assert "41 x 30" in finding.detail


async def test_boxes_outside_of_the_picture_are_kept_and_told(place: Place, pool: ImagePool) -> None:
    outcome = await place.imported(pool, a_folder(place, size=(40, 30), box=(30, 1, 50, 5)))

    (finding,) = [found for found in (await place.report(outcome)).findings if found.kind == "box outside"]
    assert finding.subject == "a.jpg"
    assert (await place.rows(outcome))["a.jpg"].layers["ground_truth"][0].box == (30.0, 1.0, 21.0, 5.0)


async def test_boxes_that_count_pixels_from_1_reach_nowhere_outside(place: Place, pool: ImagePool) -> None:
    outcome = await place.imported(pool, a_folder(place, size=(40, 30), box=(1, 1, 40, 30)))

    assert "box outside" not in {finding.kind for finding in (await place.report(outcome)).findings}


async def test_files_that_look_like_annotations_of_no_format_are_told(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "yolo-without-classes"
    (folder / "labels").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(a_jpeg(1, width=40, height=30))
    (folder / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "LICENSE").write_text("free")

    outcome = await place.imported(pool, folder)

    (finding,) = (await place.report(outcome)).findings
    assert (finding.kind, finding.subject) == ("file not read", "labels/a.txt")
    assert outcome.warnings == ("1 x file not read: see the report.",)


async def test_what_is_no_file_is_told_and_not_waited_for(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "pipes"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(a_jpeg(1, width=40, height=30))
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        outcome = await place.imported(pool, folder)

    findings = (await place.report(outcome)).findings
    assert [(finding.kind, finding.subject) for finding in findings] == [("no file", "pipe.jpg"), ("no file", "s")]
    assert outcome.result.summary["images"] == 1


async def test_the_metadata_of_croissant_are_not_taken_for_annotations(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "croissant"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(a_jpeg(1, width=40, height=30))
    (folder / "croissant.json").write_text('{"@context": {}, "name": "annotations", "images": []}')

    outcome = await place.imported(pool, folder)

    assert outcome.result.summary["format"] == "none"
    assert [finding.subject for finding in (await place.report(outcome)).findings] == ["croissant.json"]
