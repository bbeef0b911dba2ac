"""What is wrong with files: counted and listed, or what fails the import."""

from typing import Any

from schemas.outcomes import Outcome
from tests.workers.imports import Place
from tests.workers.pictures import a_jpeg, a_voc_file, a_voc_folder, an_object
from workers.image_pool import ImagePool


def kinds(outcome: Outcome, report: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    assert outcome.report is not None
    found = report.summary["findings"]
    assert isinstance(found, dict)
    return found


async def test_an_image_that_cannot_be_read_is_listed_and_the_import_goes_on(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").write_bytes(a_jpeg(1)[:300])
    (folder / "images" / "2.jpg").write_text("no image")

    outcome = await place.imported(pool, folder)

    assert list(await place.rows(outcome)) == ["images/0.jpg"]
    assert outcome.result.summary["skipped"] == 2
    report = await place.report(outcome)
    assert [finding.subject for finding in report.findings if finding.kind == "bad image"] == [
        "images/1.jpg",
        "images/2.jpg",
    ]


async def test_an_image_that_cannot_be_read_fails_the_import_if_so_asked(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").write_bytes(a_jpeg(1)[:300])

    outcome = await place.imported(pool, folder, on_bad_image="fail")

    assert outcome.problem is not None
    assert [error.pointer for error in outcome.problem.errors] == ["images/1.jpg"]
    assert outcome.records == ()


async def test_an_entry_without_its_image_is_as_bad_as_a_bad_image(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").unlink()

    going_on = await place.imported(pool, folder)
    failing = await place.imported(pool, folder, on_bad_image="fail")

    assert kinds(going_on, await place.report(going_on))["image missing"] == 1
    assert failing.problem is not None
    assert [error.pointer for error in failing.problem.errors] == ["annotations/1.xml"]


async def test_every_fault_of_every_file_is_named(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "0.xml").write_text("<annotation>")
    (folder / "annotations" / "2.xml").write_text(a_voc_file(an_object(box=(9, 1, 2, 3))))

    outcome = await place.imported(pool, folder)

    assert outcome.problem is not None
    assert outcome.problem.status == 422
    assert [error.pointer for error in outcome.problem.errors] == ["annotations/0.xml:1", "annotations/2.xml:3"]
    assert kinds(outcome, await place.report(outcome))["fault"] == 2


async def test_the_problem_names_a_hundred_faults_and_the_report_more(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "2.xml").write_text(a_voc_file(*[an_object(box=(9, 1, 2, 3))] * 150))

    outcome = await place.imported(pool, folder)

    assert outcome.problem is not None
    assert len(outcome.problem.errors) == 100
    assert kinds(outcome, await place.report(outcome))["fault"] == 150
