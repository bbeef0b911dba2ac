"""Croissant: what its metadata say is true of the files, and mlcroissant reads them by it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.datasets import Version
from schemas.outcomes import Outcome
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow
from tests.workers.exports import a_version, archive_of, exported, shapes
from tests.workers.imports import Place

MLCROISSANT = "mlcroissant==1.1.1"
SETTING = "YMIR_TEST_MLCROISSANT"
READS = """
import logging, sys
import mlcroissant
logging.disable()
for records in ("splits", "classes", "images", "annotations", "pictures"):
    dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
    rows = list(dataset.records(records))
    print(records, len(rows))
    if records == "annotations":
        print([row["annotations/box"] for row in rows])
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def mlcroissant_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a virtual environment that has mlcroissant."""
    if given := os.environ.get(SETTING):
        return Path(given)
    folder = tmp_path_factory.mktemp("mlcroissant")
    if not os.environ.get("CI"):
        command = f"python3 -m venv DIR && DIR/bin/pip install {MLCROISSANT} pillow"
        pytest.skip(f"set {SETTING}=DIR/bin/python after: {command}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", MLCROISSANT, "pillow"], check=True)
    return folder / "bin/python"


async def a_croissant(place: Place, folder: Path, **parameters: Any) -> tuple[Outcome, Version]:  # noqa: ANN401 - any field
    """Export a version that has two parents, of which one is gone, into a folder."""
    parent = await a_version(place, ("a.jpg", 1, Split.NONE, (), ""))
    version = await a_version(
        place,
        ("a.jpg", 1, Split.TRAINING, shapes(), '{"weather":"rain"}'),
        ("b.jpg", 1, Split.VALIDATION, (), ""),
        ("c.jpg", 6, Split.NONE, (AnnotationRow("cat", keypoints=(1.0, 2.0, 2.0)),), ""),
        ("d.jpg", 1, Split.NONE, None, ""),
    )
    described = version.successor(
        parents=(parent.id, "f" * 32),
        keywords=("night", "license:https://creativecommons.org/licenses/by/4.0/"),
        message="Cats & dogs",
    )
    await place.database.documents(Version).replace(described, was=version)
    outcome = await exported(place, described, "croissant", **parameters)
    (await archive_of(place, outcome)).extractall(folder)
    return outcome, described


def metadata_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((folder / "croissant.json").read_bytes())
    return document


async def test_what_the_metadata_say_of_files_is_true(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    await a_croissant(place, folder)

    metadata = metadata_of(folder)
    files = [entry for entry in metadata["distribution"] if entry["@type"] == "cr:FileObject"]
    assert metadata["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert [file["contentUrl"] for file in files] == ["tables/images.jsonl", "tables/annotations.jsonl"]
    for file in files:
        data = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["contentSize"] == f"{len(data)} B"
    (images,) = (entry for entry in metadata["distribution"] if entry["@type"] == "cr:FileSet")
    assert images["encodingFormat"] == ["image/jpeg"]
    assert len(list(folder.glob(images["includes"]))) == 4


async def test_every_field_has_its_column_and_every_reference_its_target(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    await a_croissant(place, folder)

    metadata = metadata_of(folder)
    fields = {field["@id"]: field for records in metadata["recordSet"] for field in records["field"]}
    identities = [entry["@id"] for entry in (*metadata["distribution"], *metadata["recordSet"])] + [*fields]
    assert len(identities) == len(set(identities))
    for field in fields.values():
        source = field.get("source", {})
        if "fileObject" in source:
            table = [*map(orjson.loads, (folder / source["fileObject"]["@id"]).read_bytes().splitlines())]
            assert all(source["extract"]["column"] in row for row in table)
        target = field.get("references", {})
        assert not target or target.get("field", {}).get("@id", "images/image") in fields
    for name in ("images", "annotations"):
        row = orjson.loads((folder / f"tables/{name}.jsonl").read_bytes().splitlines()[0])
        assert {f"{name}/{column}" for column in row} == {key for key in fields if key.startswith(f"{name}/")}


async def test_the_version_and_where_it_comes_from_are_told(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    outcome, version = await a_croissant(place, folder)

    metadata = metadata_of(folder)
    assert metadata["name"] == "pictures"
    assert metadata["description"] == "Cats & dogs"
    assert metadata["version"] == "2.0.0"
    assert metadata["identifier"] == version.digest
    assert metadata["keywords"] == ["night"]
    assert metadata["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert metadata["prov:wasGeneratedBy"]["prov:label"] == "import"
    first, second = metadata["prov:wasDerivedFrom"]
    assert (first["@id"], first["prov:label"]) == (f"urn:ymir:version:{version.parents[0]}", "pictures@1")
    assert second == {"@id": f"urn:ymir:version:{'f' * 32}"}
    assert not {"citeAs", "creator", "datePublished", "url"} & metadata.keys()
    assert outcome.result.summary["losses"] == {"not known": 4}


async def test_without_images_no_images_are_described(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    await a_croissant(place, folder, images=False)

    metadata = metadata_of(folder)
    assert [entry["@type"] for entry in metadata["distribution"]] == ["cr:FileObject"] * 2
    assert "pictures" not in {records["@id"] for records in metadata["recordSet"]}


async def test_it_says_what_a_licence_needs(place: Place) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, None, ""))

    report = await place.report(await exported(place, version, "croissant"))

    (detail,) = (finding.detail for finding in report.findings if "licence" in finding.detail)
    assert "license:" in detail


@pytest.mark.timeout(300)
async def test_mlcroissant_reads_all_records(place: Place, tmp_path: Path, mlcroissant_python: Path) -> None:
    folder = tmp_path / "there"
    await a_croissant(place, folder)

    arguments = [str(mlcroissant_python), "-c", READS, str(folder / "croissant.json")]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)  # noqa: ASYNC221 - a test waits

    assert done.returncode == 0, done.stderr[-2_000:]
    *counts, last = done.stdout.splitlines()
    boxes = orjson.loads(counts.pop().replace("None", "null").replace("nan", "null"))
    assert counts == ["splits 2", "classes 3", "images 4", "annotations 9"]
    assert last == "pictures 4"
    assert len(boxes) == 9
    assert [1.0, 2.0, 3.0, 4.0] in boxes
    assert None in boxes
