"""YMIR's layout: ground truth and predictions come as two layers of one version, and go as they came."""

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import pytest

from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.manifests import Manifest
from schemas.outcomes import Outcome
from schemas.schema import new_id
from storage.datasets.rows import AnnotationRow
from tests.factories import NOON, PROJECT
from tests.workers.exports import archive_of, exported
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg
from workers.image_pool import ImagePool

META = """
model: {model_hash: 0123456789abcdef, best_stage_name: best}
eval_class_names: [cat, Dog]
executor_config: {a: 1}
"""


def an_xml(name: str, *, confidence: str = "-1") -> str:
    box = "<xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>12</ymax>"
    found = f"<object><name>{name}</name><bndbox>{box}</bndbox><confidence>{confidence}</confidence></object>"
    return f"<annotation><cks><rain>heavy</rain></cks>{found if name else ''}</annotation>"


def a_folder(place: Place, **files: str) -> Path:
    """Make a folder of three pictures and the files named ``gt/a.xml`` and so on."""
    folder = Path(mkdtemp(dir=place.folder))
    (folder / "images").mkdir()
    for seed, name in enumerate("abc"):
        (folder / "images" / f"{name}.jpg").write_bytes(a_jpeg(seed))
    for path, content in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    return folder


async def kept(place: Place, outcome: Outcome) -> Version:
    draft = draft_of(outcome)
    version = Version(
        id=new_id(),
        project=PROJECT,
        dataset="2" * 32,
        dataset_name="pictures",
        number=await place.database.documents(Version).count() + 1,
        digest=draft.digest,
        manifest=draft.manifest,
        task=new_id(),
        made_by="import",
        created_at=NOON,
    )
    await place.database.documents(Version).add(version)
    return version


async def manifest_of(place: Place, version: Version) -> Manifest:
    return Manifest.model_validate(orjson.loads(await place.blobs.get(version.manifest.digest)))


async def test_predictions_are_a_layer_with_what_their_model_can_predict(place: Place, pool: ImagePool) -> None:
    await place.knows("dog", "cat", aliases=("hound",))
    files = {
        "gt/a.xml": an_xml("hound"),
        "gt/b.xml": an_xml(""),
        "pred/a.xml": an_xml("cat", confidence="0.5"),
        "pred/c.xml": an_xml(""),
        "pred/meta.yaml": META,
    }

    outcome = await place.imported(pool, a_folder(place, **files))

    assert outcome.result.summary["format"] == "ymir"
    assert outcome.result.summary["predictions"] == 1
    rows = await place.rows(outcome)
    layer = "0123456789ab@best"
    assert [row.class_name for row in rows["images/a.jpg"].layers["ground_truth"]] == ["dog"]
    assert [(row.class_name, row.confidence) for row in rows["images/a.jpg"].layers[layer]] == [("cat", 0.5)]
    assert rows["images/b.jpg"].layers["ground_truth"] == ()
    assert layer not in rows["images/b.jpg"].layers
    assert rows["images/c.jpg"].layers[layer] == ()
    assert "ground_truth" not in rows["images/c.jpg"].layers
    predictions = (await manifest_of(place, await kept(place, outcome))).layers[layer].predictions
    assert predictions is not None
    assert predictions.classes == ("cat", "dog")
    assert predictions.stage == "best"


@pytest.mark.parametrize("form", ["ymir", "ymir-coco"])
async def test_what_is_exported_is_the_same_version_when_it_is_imported(
    place: Place, pool: ImagePool, form: str
) -> None:
    files = {"gt/a.xml": an_xml("dog"), "pred/a.xml": an_xml("cat", confidence="0.25"), "pred/meta.yaml": META}
    version = await kept(place, await place.imported(pool, a_folder(place, **files)))
    folder = Path(mkdtemp(dir=place.folder))

    outcome = await exported(place, version, form)
    (await archive_of(place, outcome)).extractall(folder)

    assert outcome.result.summary["losses"] == {}
    again = await kept(place, await place.imported(pool, folder))
    assert again.digest == version.digest


async def test_ground_truth_and_predictions_may_be_of_two_kinds(place: Place, pool: ImagePool) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}],
    }
    files = {"gt/a.xml": an_xml("dog"), "pred/coco-annotations.json": orjson.dumps(document).decode()}

    rows = await place.rows(await place.imported(pool, a_folder(place, **files)))

    layers = rows["images/a.jpg"].layers
    assert [row.class_name for row in layers["ground_truth"]] == ["dog"]
    assert [row._replace(id=None) for row in layers["predictions"]] == [
        AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0), confidence=0.5)
    ]


@pytest.mark.parametrize(
    ("meta", "pointer"),
    [("- a list", "pred/meta.yaml:1"), ("model: [", "pred/meta.yaml:1"), ("eval_class_names: 3", "eval_class_names")],
)
async def test_a_meta_file_that_is_wrong_is_named(place: Place, pool: ImagePool, meta: str, pointer: str) -> None:
    outcome = await place.imported(pool, a_folder(place, **{"pred/a.xml": an_xml("cat"), "pred/meta.yaml": meta}))

    assert outcome.problem is not None
    assert any(pointer in str(error) for error in outcome.problem.errors)


async def test_a_layer_that_the_files_fill_themselves_is_no_place_for_ground_truth(
    place: Place, pool: ImagePool
) -> None:
    files = {"gt/a.xml": an_xml("dog"), "pred/a.xml": an_xml("cat")}

    outcome = await place.imported(pool, a_folder(place, **files), layer="predictions")

    assert outcome.problem is not None
    assert "'predictions'" in str(outcome.problem.errors)


async def test_only_ymirs_layout_has_a_place_for_predictions(place: Place, pool: ImagePool) -> None:
    files: dict[str, Any] = {"gt/a.xml": an_xml("dog"), "pred/a.xml": an_xml("cat")}
    version = await kept(place, await place.imported(pool, a_folder(place, **files)))

    with pytest.raises(Invalid, match="no place for predictions"):
        await exported(place, version, "voc", predictions="predictions")
    with pytest.raises(Invalid, match="no layer 'others'"):
        await exported(place, version, "ymir", predictions="others")
