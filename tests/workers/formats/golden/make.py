"""Makes the files of ``voc``, ``coco``, ``yolo`` and ``label-studio`` again; README.md says with which tools.

``python make.py datumaro`` needs datumaro and pycocotools, ``python make.py label-studio`` label-studio-sdk: each in a
virtual environment of its own, since their dependencies are not ours.
"""

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
WIDTH, HEIGHT = 40, 30
LABELS = ("cat", "dog")
TIME = "2026-01-01T00:00:00Z"


def a_picture(seed: int) -> Image.Image:
    """Return a picture of some blocks."""
    blocks = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks.repeat(10, axis=0).repeat(10, axis=1))


def a_mask() -> NDArray[np.uint8]:
    """Return a mask with a hole."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[3:9, 4:20] = 1
    mask[5, 6] = 0
    return mask


def by_datumaro() -> None:
    """Write a data set of three pictures in the formats of Datumaro."""
    import datumaro

    for name, form in (("voc", "voc_detection"), ("coco", "coco_instances"), ("yolo", "yolo_ultralytics")):
        shutil.rmtree(HERE / name, ignore_errors=True)
        with TemporaryDirectory() as folder:
            dataset = _dataset(Path(folder), boxes_only=form != "coco_instances")
            dataset.export(str(HERE / name), form, save_media=True)
        print(name, datumaro.__version__)
    by_pycocotools()


def _dataset(folder: Path, *, boxes_only: bool) -> Any:  # noqa: ANN401 - one of Datumaro
    from datumaro.components.annotation import Bbox, Mask, Polygon
    from datumaro.components.dataset import Dataset
    from datumaro.components.dataset_base import DatasetItem
    from datumaro.components.media import Image as Media

    boxes = [
        Bbox(4, 5, 10, 12, label=0, id=1, group=1, attributes={"difficult": True, "truncated": True, "pose": "Left"}),
        Bbox(0, 0, 40, 30, label=1, id=2, group=2),
    ]
    shapes = [
        Bbox(4.5, 5.25, 10, 12, label=0, id=1, group=1),
        Polygon([1, 1, 6, 1, 6, 6], label=1, id=2, group=2),
        Polygon([8, 8, 9, 8, 9, 9.5], label=1, id=2, group=2),
        Mask(a_mask(), label=1, id=3, group=3, attributes={"is_crowd": True}),
    ]
    items = []
    for number, (subset, annotations) in enumerate(
        (("train", boxes if boxes_only else shapes), ("train", []), ("val", boxes[:1]))
    ):
        path = folder / f"{number}.jpg"
        a_picture(number).save(path, "JPEG")
        items.append(DatasetItem(str(number), subset=subset, media=Media.from_file(str(path)), annotations=annotations))
    return Dataset.from_iterable(items, categories=list(LABELS))


def by_pycocotools() -> None:
    """Write masks, compressed and not, and results as pycocotools makes them."""
    from pycocotools import mask as tool

    folder = HERE / "coco_masks"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    a_picture(7).save(folder / "images" / "7.jpg", "JPEG")
    compressed = tool.encode(np.asfortranarray(a_mask()))
    area = int(tool.area(compressed))
    box = tool.toBbox(compressed).tolist()
    polygon = tool.merge(tool.frPyObjects([[1, 1, 6, 1, 6, 6]], HEIGHT, WIDTH))
    flat = a_mask().flatten(order="F")
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    runs = np.diff(edges).tolist()
    uncompressed = {"size": [HEIGHT, WIDTH], "counts": runs}
    masks = [
        {"size": [HEIGHT, WIDTH], "counts": compressed["counts"].decode()},
        uncompressed,
        {"size": [HEIGHT, WIDTH], "counts": polygon["counts"].decode()},
    ]
    document = {
        "images": [{"id": 7, "file_name": "7.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 5, "name": "cat"}],
        "annotations": [
            {"id": number, "image_id": 7, "category_id": 5, "iscrowd": int(number == 2), "segmentation": mask}
            | {"area": area, "bbox": box}
            for number, mask in enumerate(masks, start=1)
        ],
    }
    (folder / "instances_train.json").write_text(json.dumps(document))
    result = {"image_id": 7, "category_id": 5, "score": 0.75, "segmentation": masks[0], "bbox": box}
    (folder / "results.json").write_text(json.dumps([result]))
    print("coco_masks")


def by_label_studio() -> None:
    """Write tasks with a brush as Label Studio's own converter makes them, and what it decodes of one of ours."""
    from label_studio_sdk.converter.brush import encode_rle, mask2rle
    from label_studio_sdk.converter.imports.yolo import convert_yolo_to_ls

    folder = HERE / "label-studio"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    a_picture(0).save(folder / "images" / "0.jpg", "JPEG")
    a_picture(1).save(folder / "images" / "1.jpg", "JPEG")
    with TemporaryDirectory() as name:
        source = Path(name)
        (source / "images").mkdir()
        (source / "labels").mkdir()
        shutil.copy(folder / "images" / "0.jpg", source / "images")
        (source / "labels" / "0.txt").write_text("1 0.5 0.5 0.25 0.4\n0 0.1 0.2 0.05 0.1\n")
        (source / "classes.txt").write_text("\n".join(LABELS))
        convert_yolo_to_ls(str(source), str(source / "tasks.json"), image_ext=".jpg", image_root_url="/data/images")
        tasks = json.loads((source / "tasks.json").read_text())
    mask = a_mask() * 255
    brush = {
        "id": "brush",
        "type": "brushlabels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": mask2rle(mask), "brushlabels": ["cat"]},
    }
    assert list(mask2rle(mask)) == list(encode_rle(np.repeat(mask.ravel(), 4)))
    work = {"completed_by": {"id": 3, "email": "ann@example.org"}, "result": [brush], "was_cancelled": False}
    tasks.append({"id": 9, "data": {"image": "/data/upload/1/0123abcd-1.jpg"}, "annotations": [work]})
    text = json.dumps(tasks, indent=1)
    (folder / "tasks.json").write_text(text)
    print("label-studio")


if __name__ == "__main__":
    {"datumaro": by_datumaro, "label-studio": by_label_studio}[sys.argv[1]]()
