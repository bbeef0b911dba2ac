"""A revision of an old repository as a folder that can be imported: links to its images, and COCO documents."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from client.migrate.labels import Labels
from client.migrate.repository import Revision

# The folder of the images of a use type, and the document about them: both tell the split.
SPLITS: Final = {
    0: ("images", "coco-annotations.json"),
    1: ("images/train", "instances_train.json"),
    2: ("images/val", "instances_val.json"),
    3: ("images/test", "instances_test.json"),
}
ABSENT: Final = -1


class Staged(NamedTuple):
    """What was written, and what could not be."""

    images: int
    format: str
    """That of what was written."""
    missing: tuple[str, ...]
    """Assets whose file is not in the media store, or is no longer what it was."""
    left_out: Counter[str]


class _Image(NamedTuple):
    asset: str
    name: str
    number: int
    meta: Any


def stage(revision: Revision, *, labels: Labels, media: Path, to: Path) -> Staged:
    """Write ``images/``, ``gt/`` and, if there are predictions, ``pred/`` below the folder ``to``.

    An image that the ground truth has no annotations for is left un-annotated: YMIR kept no difference between such
    images and those that were found to be empty. Marks of evaluations and indexes are derived, and not written.
    """
    images, missing = _link_images(revision, media, to)
    left_out: Counter[str] = Counter()
    truth, attributes = _ground_truth(revision), _attributes(revision)
    left_out["attributes of images without ground truth"] += len(attributes.keys() - truth.keys())
    _Layer(truth, images, labels, attributes, left_out).write(to / "gt")
    form = "coco" if truth else "none"
    if revision.annotations.prediction.image_annotations:
        prediction, form = revision.annotations.prediction, "ymir"
        _Layer(prediction.image_annotations, images, labels, {}, left_out).write(to / "pred")
        (to / "pred/meta.yaml").write_text(yaml.safe_dump(_meta(prediction, labels)))
    return Staged(len(images), form, tuple(missing), left_out)


def _link_images(revision: Revision, media: Path, to: Path) -> tuple[list[_Image], list[str]]:
    for folder, _ in SPLITS.values():
        (to / folder).mkdir(parents=True)
    images, missing, taken = list[_Image](), list[str](), set[str]()
    for asset, meta in sorted(revision.metadatas.attributes.items()):
        source = _stored(media, asset)
        if source is None:
            missing.append(asset)
            continue
        name = Path(meta.origin_filename.replace("\\", "/")).name or f"{asset}{_suffix(source)}"
        if Path(name).stem.lower() in taken:
            name = f"{asset[:16]}-{name}"
        taken.add(Path(name).stem.lower())
        (to / SPLITS[_use(meta)][0] / name).symlink_to(source)
        images.append(_Image(asset, name, len(images) + 1, meta))
    return images, missing


def _use(meta: Any) -> int:  # noqa: ANN401 - a message
    return meta.tvt_type if meta.tvt_type in SPLITS else 0


def _stored(media: Path, asset: str) -> Path | None:
    for path in (media / asset[-2:] / asset, media / asset):
        if path.is_file():
            with path.open("rb") as file:
                whole = hashlib.file_digest(file, "sha1").hexdigest() == asset
            return path.resolve() if whole else None
    return None


def _suffix(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    return ".png" if head.startswith(b"\x89PNG") else ".bmp" if head.startswith(b"BM") else ".jpg"


def _ground_truth(revision: Revision) -> Mapping[str, Any]:
    annotations = revision.annotations
    if annotations.HasField("ground_truth"):
        return annotations.ground_truth.image_annotations  # type: ignore[no-any-return]  # made at run time
    # Until 1.1 one set for each task, of which the newest counts.
    head = annotations.head_task_id
    return annotations.task_annotations[head].image_annotations if head in annotations.task_annotations else {}


def _attributes(revision: Revision) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for asset, keywords in revision.keywords.keywords.items():
        found.setdefault(asset, {}).update(dict.fromkeys(keywords.customized_keywords, True))
    for asset, image in revision.annotations.image_cks.items():
        quality = {"image_quality": image.image_quality} if image.image_quality > 0 else {}
        found.setdefault(asset, {}).update({**image.cks, **quality})
    return found


def _meta(prediction: Any, labels: Labels) -> dict[str, Any]:  # noqa: ANN401 - a message
    names = [labels[number].name for number in prediction.eval_class_ids if number in labels]
    meta: dict[str, Any] = {"eval_class_names": names} if names else {}
    if prediction.model.model_hash:
        model = prediction.model
        meta["model"] = {
            "model_hash": model.model_hash,
            "best_stage_name": model.best_stage_name,
            "class_names": list(model.class_names),
        }
    return meta | ({"executor_config": prediction.executor_config} if prediction.executor_config else {})


class _Layer:
    """The annotations of one kind of some images, as COCO documents: one for each split."""

    def __init__(
        self,
        annotations: Mapping[str, Any],
        images: list[_Image],
        labels: Labels,
        attributes: Mapping[str, dict[str, Any]],
        left_out: Counter[str],
    ) -> None:
        self._annotations = annotations
        self._images = images
        self._labels = labels
        self._attributes = attributes
        self._left_out = left_out
        self._categories: dict[str, int] = {}

    def write(self, to: Path) -> None:
        """Write the documents of the splits that have an annotated image."""
        to.mkdir()
        for use, (_, name) in SPLITS.items():
            images = [image for image in self._images if _use(image.meta) == use]
            if listed := [image for image in images if image.asset in self._annotations]:
                with (to / name).open("wb") as file:
                    file.writelines(self._pieces(listed))

    def _pieces(self, images: list[_Image]) -> Iterator[bytes]:
        yield b'{"images":[\n'
        yield from _joined(self._image(image) for image in images)
        yield b'\n],"annotations":[\n'
        yield from _joined(self._objects(images))
        yield b'\n],"categories":[\n'
        yield from _joined({"id": number, "name": name} for name, number in self._categories.items())
        yield b"\n]}\n"

    def _image(self, image: _Image) -> dict[str, Any]:
        entry = {"id": image.number, "file_name": image.name, "width": image.meta.width, "height": image.meta.height}
        attributes = self._attributes.get(image.asset)
        return {**entry, "attributes": attributes} if attributes else entry

    def _objects(self, images: list[_Image]) -> Iterator[dict[str, Any]]:
        number = 0
        for image in images:
            said = self._annotations[image.asset]
            self._left_out["masks of pixels of release 1.3"] += said.HasField("mask")
            for told in (*said.boxes, *said.polygons):
                number += 1
                yield {"id": number, "image_id": image.number, **self._object(told, image)}

    def _object(self, told: Any, image: _Image) -> dict[str, Any]:  # noqa: ANN401 - a message
        box = told.box
        polygon = [value for point in told.polygon for value in (point.x, point.y)]
        entry: dict[str, Any] = {"category_id": self._category(told), "iscrowd": told.iscrowd}
        if box.w or box.h or not polygon:
            entry["bbox"] = [box.x, box.y, box.w, box.h]
        if told.mask:
            entry["segmentation"] = {"size": [image.meta.height, image.meta.width], "counts": told.mask}
        elif polygon:
            entry["segmentation"] = [polygon]
        known = {"score": told.score, "box_quality": told.anno_quality}
        entry |= {key: value for key, value in known.items() if value not in {0, ABSENT}}
        attributes = {**told.tags, **({"prompt": told.prompt} if told.prompt else {})}
        more = {"rotation": box.rotate_angle, "attributes": attributes}
        return entry | {key: value for key, value in more.items() if value}

    def _category(self, told: Any) -> int:  # noqa: ANN401 - a message
        label = self._labels.get(told.class_id)
        name = label.name if label else told.class_name or f"class-{told.class_id}"
        self._left_out["classes that the label file lacks"] += label is None
        return self._categories.setdefault(name, len(self._categories) + 1)


def _joined(entries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for position, entry in enumerate(entries):
        yield (b",\n" if position else b"") + orjson.dumps(entry)
