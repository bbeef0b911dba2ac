"""What is read of a folder with COCO documents."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Fault, Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, MaskRow
from workers.formats.coco import Coco
from workers.formats.format import FileRecord, Reading
from workers.formats.listing import list_files
from workers.formats.registry import detect
from workers.formats.rle import text_of

NAME = "annotations/instances.json"


def an_annotation(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3.5, 4], **changes}


def a_document(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 40, "height": 30}],
        "categories": [{"id": 3, "name": "Cat"}],
        "annotations": list(annotations),
        **changes,
    }


def read(folder: Path, *images: str, **documents: dict[str, Any]) -> Reading:
    """Read a folder with some (empty) images and documents in ``annotations/``."""
    for image in images or ("images/1.jpg",):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).write_bytes(b"")
    for name, document in documents.items():
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"{name}.json").write_bytes(orjson.dumps(document))
    listing = list_files(folder)
    assert detect(listing).name == "coco"
    reading = Coco().read(listing)
    return reading._replace(records=[with_labels(folder, reading, record) for record in reading.records])


def with_labels(folder: Path, reading: Reading, record: FileRecord) -> FileRecord:
    """Return a record with what the document says of it, as the pool would read it."""
    if record.part is None:
        return record
    assert reading.parse_part is not None
    assert record.labels_file is not None
    path = folder / record.labels_file
    try:
        labels = reading.parse_part(path, name=record.labels_file, image=None, part=record.part)
    except Invalid as error:
        return record._replace(faults=(*record.faults, *error.faults))
    beside = {} if record.labels is None else record.labels.layers
    return record._replace(labels=labels._replace(layers={**labels.layers, **beside}))


def faults_of(reading: Reading, records: Iterable[FileRecord] | None = None) -> list[Fault]:
    """Return what is wrong with the documents, and with the annotations of each image."""
    read = reading.records if records is None else records
    return [*reading.faults, *(fault for record in read for fault in record.faults)]


def annotations_of(records: Iterable[FileRecord]) -> list[AnnotationRow]:
    return [row for record in records if record.labels for row in record.labels.annotations]


def record_of(reading: Reading) -> FileRecord:
    (record,) = reading.records
    return record


def test_boxes_come_under_their_class(tmp_path: Path) -> None:
    reading = read(tmp_path, instances=a_document(an_annotation()))

    labels = record_of(reading).labels
    assert labels is not None
    assert labels.annotations == (AnnotationRow(class_name="cat", box=(1.0, 2.0, 3.5, 4.0)),)
    assert labels.size == (40, 30)
    assert not reading.faults
    assert not list(reading.findings)


def test_everything_that_an_annotation_says_is_kept(tmp_path: Path) -> None:
    given = an_annotation(
        segmentation=[[1, 2, 4, 2, 4, 6], [5, 5, 6, 5, 6, 6]],
        area=9.5,
        iscrowd=1,
        score=0.5,
        box_quality=0.75,
        rotation=0.1,
        keypoints=[1, 2, 2, 0, 0, 0],
        num_keypoints=1,
        attributes={"occluded": True},
        author="someone",
    )

    labels = record_of(read(tmp_path, instances=a_document(given))).labels

    assert labels is not None
    assert labels.annotations == (
        AnnotationRow(
            class_name="cat",
            box=(1.0, 2.0, 3.5, 4.0),
            rotation=0.1,
            polygons=((1.0, 2.0, 4.0, 2.0, 4.0, 6.0), (5.0, 5.0, 6.0, 5.0, 6.0, 6.0)),
            keypoints=(1.0, 2.0, 2.0, 0.0, 0.0, 0.0),
            crowd=True,
            area=9.5,
            confidence=0.5,
            quality=0.75,
            attributes='{"occluded":true}',
            author="someone",
        ),
    )


@pytest.mark.parametrize("nothing", [[], None, {}, [[]]])
def test_an_empty_segmentation_is_none(tmp_path: Path, nothing: object) -> None:
    reading = read(tmp_path, instances=a_document(an_annotation(segmentation=nothing)))

    record = record_of(reading)
    assert not faults_of(reading, [record])
    assert record.labels is not None
    assert record.labels.annotations[0].polygons == ()


@pytest.mark.parametrize("counts", [[2, 3, 1], text_of([2, 3, 1])])
def test_masks_come_compressed_or_not(tmp_path: Path, counts: object) -> None:
    mask = {"size": [2, 3], "counts": counts}

    labels = record_of(read(tmp_path, instances=a_document(an_annotation(segmentation=mask)))).labels

    assert labels is not None
    assert labels.annotations[0].mask == MaskRow(2, 3, text_of([2, 3, 1]))


def test_polygons_without_a_box_have_the_one_about_them(tmp_path: Path) -> None:
    given = an_annotation(bbox=None, segmentation=[[1, 2, 5, 2, 5, 9]])

    labels = record_of(read(tmp_path, instances=a_document(given))).labels

    assert labels is not None
    assert labels.annotations[0].box == (1.0, 2.0, 4.0, 7.0)


def test_a_listed_image_without_annotations_is_empty_and_an_unlisted_one_not_annotated(tmp_path: Path) -> None:
    reading = read(tmp_path, "images/1.jpg", "images/2.jpg", instances=a_document())

    first, second = reading.records
    assert first.labels is not None
    assert first.labels.annotations == ()
    assert second.labels is None
    assert [(finding.subject, finding.kind) for finding in reading.findings] == [("images/2.jpg", "no entry")]


def test_an_entry_whose_file_is_missing_is_listed(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "9.jpg"}]

    reading = read(tmp_path, instances=a_document(an_annotation(image_id=2), images=images))

    (finding,) = reading.findings
    assert (finding.subject, finding.kind) == (f"{NAME}: images[1].file_name", "image missing")
    assert not reading.faults


def test_documents_of_splits_give_the_splits(tmp_path: Path) -> None:
    documents = {
        "instances_train2017": a_document(),
        "instances_val2017": a_document(images=[{"id": 1, "file_name": "2.jpg"}]),
    }

    reading = read(tmp_path, "images/1.jpg", "images/2.jpg", **documents)

    assert [record.split for record in reading.records] == [Split.TRAINING, Split.VALIDATION]


def test_equal_names_are_told_apart_by_path_and_by_split(tmp_path: Path) -> None:
    documents = {
        "instances_train": a_document(an_annotation()),
        "instances_val": a_document(images=[{"id": 1, "file_name": "val/1.jpg"}]),
    }

    reading = read(tmp_path, "train/1.jpg", "val/1.jpg", **documents)

    assert not reading.faults
    assert [record.split for record in reading.records] == [Split.TRAINING, Split.VALIDATION]


def test_a_name_that_two_images_have_is_a_fault_that_names_both(tmp_path: Path) -> None:
    reading = read(tmp_path, "images/a/1.jpg", "images/b/1.jpg", instances=a_document())

    (fault,) = reading.faults
    assert fault.pointer == f"{NAME}: images[0].file_name"
    assert "images/a/1.jpg" in fault.detail
    assert "images/b/1.jpg" in fault.detail


def test_an_image_of_two_documents_is_a_fault(tmp_path: Path) -> None:
    reading = read(tmp_path, instances=a_document(), person_keypoints=a_document())

    (fault,) = reading.faults
    assert fault.pointer == "annotations/person_keypoints.json"
    assert NAME in fault.detail


@pytest.mark.parametrize(
    ("document", "path", "detail"),
    [
        (a_document(an_annotation(), an_annotation()), "annotations[1].id", "repeats the id of annotations[0]"),
        (a_document(images=[{"id": 1, "file_name": "1.jpg"}] * 2), "images[1].id", "repeats the id 1"),
        (a_document(categories=[{"id": 1, "name": "a"}] * 2), "categories[1].id", "repeats the id 1"),
        (a_document(an_annotation(image_id=7)), "annotations[0].image_id", "the image 7, which is not listed"),
        (a_document(an_annotation(category_id=7)), "annotations[0].category_id", "the category 7"),
        (a_document(an_annotation(category_id=[7])), "annotations[0].category_id", "the category [7]"),
        (a_document(an_annotation(bbox=[1, 2, 3])), "annotations[0].bbox", "is not four finite numbers"),
        (a_document(an_annotation(bbox=["1", "2", "3", "4"])), "annotations[0].bbox", "is not four"),
        (a_document(an_annotation(bbox=[1, 2, 3, "4"])), "annotations[0].bbox", "is not four"),
        (a_document(an_annotation(bbox=None)), "annotations[0].bbox", "is not four finite numbers"),
        (a_document(an_annotation(bbox=[1, 2, -3, 4])), "annotations[0].bbox", "has a negative size"),
        (a_document(an_annotation(segmentation=[[1, 2, 3, 4]])), "annotations[0].segmentation", "polygon of 4 numbers"),
        (a_document(an_annotation(segmentation=[[1] * 7])), "annotations[0].segmentation", "polygon of 7 numbers"),
        (a_document(an_annotation(segmentation={"size": [2, 3]})), "annotations[0].segmentation", "is no mask"),
        (
            a_document(an_annotation(segmentation={"size": [2, 3], "counts": [1]})),
            "annotations[0].segmentation",
            "add up",
        ),
        (a_document(an_annotation(keypoints=[1, 2])), "annotations[0].keypoints", "has 2 numbers"),
        (a_document(an_annotation(iscrowd=2)), "annotations[0].iscrowd", "is neither 0 nor 1"),
        (a_document(an_annotation(area=-1)), "annotations[0].area", "is not a number that can be used"),
        (a_document(an_annotation(score=2)), "annotations[0].score", "is not from 0 to 1"),
        (a_document(an_annotation(attributes=[1])), "annotations[0].attributes", "is not an object"),
        (a_document(images=[{"id": 1}]), "images[0].file_name", "is missing"),
        (a_document(images=[7]), "images[0]", "has no id"),
        (a_document(categories=[{"id": 1, "name": 7}]), "categories[0].name", "is no class name"),
        (a_document(annotations={}), "annotations", "is not a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_json_path(
    tmp_path: Path, document: dict[str, Any], path: str, detail: str
) -> None:
    reading = read(tmp_path, instances=document)

    fault = faults_of(reading)[0]
    assert fault.pointer == f"{NAME}: {path}"
    assert detail in fault.detail


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    wrong = [an_annotation(id=number, bbox=[1]) for number in range(50)]

    reading = read(tmp_path, instances=a_document(*wrong))

    assert len(faults_of(reading)) == 50


@pytest.mark.parametrize("text", ['{"images": [', '{"images": [], "annotations": [{"bbox": [NaN]}]}', '["images"]'])
def test_a_document_that_cannot_be_read_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.jpg").write_bytes(b"")
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(Invalid, match=r"a\.json"):
        Coco().read(list_files(tmp_path))


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    reading = read(tmp_path, instances=a_document(an_annotation(mood="calm"), an_annotation(id=2, mood="wild")))

    labels = record_of(reading).labels
    assert labels is not None
    assert labels.dropped == ("annotations[].mood", "annotations[].mood")


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "a"]), inner),
    max_leaves=6,
)
fields = (
    "id",
    "image_id",
    "category_id",
    "bbox",
    "segmentation",
    "area",
    "iscrowd",
    "keypoints",
    "score",
    "attributes",
)


@given(st.dictionaries(st.sampled_from(fields), json))
def test_any_annotation_is_read_or_a_fault(tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]) -> None:
    reading = read(tmp_path_factory.mktemp("coco"), instances=a_document(an_annotation(**changes)))

    records = list(reading.records)

    assert len(faults_of(reading, records)) + len(annotations_of(records)) == 1


@given(st.dictionaries(st.sampled_from(["images", "categories", "annotations"]), json, min_size=1))
def test_any_document_is_read_or_has_faults(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> None:
    reading = read(tmp_path_factory.mktemp("coco"), instances=document)

    records = list(reading.records)

    assert faults_of(reading, records) or not annotations_of(records)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("coco")
    (folder / "a.json").write_bytes(data + b'"images"')

    with suppress(Invalid):
        assert Coco().read(list_files(folder)).total == 0


def test_what_a_category_says_of_key_points_is_told(tmp_path: Path) -> None:
    category = {"id": 3, "name": "cat", "supercategory": "pet", "keypoints": ["nose"], "skeleton": [[1, 1]]}

    reading = read(tmp_path, instances=a_document(categories=[category]))

    assert [(finding.subject, finding.detail, finding.kind) for finding in reading.findings] == [
        (f"{NAME}: categories[0]", "categories[].keypoints cannot be kept: ['nose']", "not kept"),
        (f"{NAME}: categories[0]", "categories[].skeleton cannot be kept: [[1, 1]]", "not kept"),
    ]


def results(*found: dict[str, Any]) -> Any:  # noqa: ANN401 - a list where a document is expected
    return list(found)


def test_results_are_a_layer_beside_the_document_that_names_their_classes(tmp_path: Path) -> None:
    found = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.25}

    reading = read(tmp_path, instances=a_document(an_annotation()), detections=results(found))

    labels = record_of(reading).labels
    assert not faults_of(reading, [])
    assert labels is not None
    assert len(labels.annotations) == 1
    assert labels.layers == {"detections": (AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0), confidence=0.25),)}


def test_results_alone_are_what_is_imported_under_the_numbers_of_their_classes(tmp_path: Path) -> None:
    found = {"image_id": 139, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.25}
    lost = {"image_id": 140, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.25}

    reading = read(tmp_path, "000000000139.jpg", detections=results(found, found, lost))

    labels = record_of(reading).labels
    assert labels is not None
    assert [(row.class_name, row.confidence) for row in labels.annotations] == [("18", 0.25)] * 2
    assert [finding.kind for finding in reading.findings] == ["numbered classes", "image missing"]


def test_what_is_wrong_with_results_is_named_with_its_path(tmp_path: Path) -> None:
    wrong = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3], "score": 0.25}
    unknown = {"image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4], "score": 1.25}

    reading = read(tmp_path, instances=a_document(), detections=results(wrong, unknown, {"category_id": 3}))

    assert [fault.pointer for fault in faults_of(reading)] == [
        "annotations/detections.json: [2]",
        "annotations/detections.json: [0].bbox",
        "annotations/detections.json: [1].category_id",
    ]


@pytest.mark.parametrize("said", [{"caption": "a cat"}, {"segments_info": [], "file_name": "1.png"}])
def test_captions_and_panoptic_segments_are_refused_and_beside_objects_left_out(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    others = a_document({"id": 1, "image_id": 1, **said})

    with pytest.raises(Invalid, match="captions and panoptic segments are no annotations"):
        read(tmp_path, others=others)
    reading = read(tmp_path, others=others, instances=a_document(an_annotation()))

    assert record_of(reading).labels is not None
    assert [(finding.subject, finding.kind) for finding in reading.findings] == [
        ("annotations/others.json", "left out")
    ]
