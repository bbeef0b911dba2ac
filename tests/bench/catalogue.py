"""Every row of the benchmark, with its budget and the recorded figures of others (docs/benchmarks.md)."""

from typing import Final

from tests.bench.row import Row, Unit

LARGE: Final = "synthetic.prepare"
LINES: Final = "merging.prepare"
SMALL_FILES: Final = "pictures.small_voc"
PHOTOGRAPHS: Final = "pictures.photographs"
COCO: Final = "pictures.coco"
IMPORTED: Final = "exporting.prepare"
PREDICTED: Final = "evaluating.prepare"
DURABLE: Final = "nothing kept: Celery 820/s, Dramatiq 1,210/s, taskiq 3,470/s; Hatchet (durable, 8 cores) 500/s"

ROWS: Final = (
    Row(
        work="merge 2 x {images:,} images, 10 % in both, host, warm",
        measure="algebra.merge",
        budget=1.0,
        memory_mb=1536,
        needs=LARGE,
        peers="YMIR's mir 3.3 s for 2 x 10k, 34 s for 2 x 100k; FiftyOne 0.58 s for 2 x 10k",
    ),
    Row(
        work="merge a 1 % change into {images:,} images",
        measure="algebra.merge_change",
        budget=0.5,
        needs=LARGE,
        peers="lakeFS: linear in the change",
    ),
    Row(
        work="merge two lines of {images:,} images, 1 % changed on each, a tenth of that on both",
        measure="merging.merge_lines",
        budget=1.0,
        memory_mb=1536,
        needs=LINES,
    ),
    Row(
        work="merge two lines of {images:,} images, the same 1 % changed on both",
        measure="merging.merge_same",
        memory_mb=1536,
        needs=LINES,
    ),
    Row(
        work="page of 50 assets that differ, 1 % of {images:,} changed, warm",
        measure="merging.page_of_changes",
        unit=Unit.MILLISECONDS,
        budget=100,
        needs=LINES,
    ),
    Row(
        work="filter {images:,} images by two classes",
        measure="algebra.keep",
        budget=0.5,
        needs=LARGE,
        peers="mir 11.4 s for 100k; Datumaro 9.2 s (XPath) + 21 s to keep the source",
    ),
    Row(
        work="sample 10 % of {images:,} images",
        measure="algebra.sample",
        budget=0.2,
        needs=LARGE,
        peers="mir 6.0 s for 100k; Datumaro 0.53 s + 21 s to keep the source",
    ),
    Row(
        work="statistics of {images:,} images",
        measure="algebra.statistics",
        budget=0.5,
        needs=LARGE,
        peers="mir 4.4 s for 100k; FiftyOne 0.16 s for 50k (classes alone)",
    ),
    Row(
        work="page of 50 of {images:,} images, warm",
        measure="algebra.page_warm",
        unit=Unit.MILLISECONDS,
        budget=100,
        needs=LARGE,
    ),
    Row(work="page of 50 of {images:,} images, cold", measure="algebra.page_cold", budget=2.0, needs=LARGE),
    Row(
        work="pages of a rare class and of a part of a name, of {images:,} images, warm",
        measure="algebra.page_rare_warm",
        unit=Unit.MILLISECONDS,
        budget=200,
        needs=LARGE,
    ),
    Row(
        work="pages of a rare class and of a part of a name, of {images:,} images, cold",
        measure="algebra.page_rare_cold",
        budget=4.0,
        needs=LARGE,
    ),
    Row(
        work="near-duplicates among 100,000 images, a fifth of them in groups of five",
        measure="near_duplicates.usual",
        budget=60,
    ),
    Row(
        work="near-duplicates among 100,000 images that are nearly all alike",
        measure="near_duplicates.alike",
        budget=60,
    ),
    *(
        Row(
            work=f"mine 1,000 of 100,000 images with 512 features, {strategy}",
            measure=f"mining.{strategy}",
            budget=30,
            memory_mb=2048,
        )
        for strategy in ("kcenter", "typiclust", "two_stage")
    ),
    Row(
        work="import VOC, {small:,} JPEGs of 3 KB",
        measure="importing.small_voc",
        unit=Unit.IMAGES_A_SECOND,
        budget=3_000,
        memory_mb=512,
        needs=SMALL_FILES,
        peers="mir 960/s; Datumaro 2,700/s without storing images; FiftyOne 230/s",
    ),
    Row(
        work="import the same again: bytes moved",
        measure="importing.small_voc_again",
        unit=Unit.BYTES,
        budget=0,
        needs=SMALL_FILES,
        peers="Oxen pushes 656 files/s",
    ),
    Row(
        work="import VOC, {photographs:,} photographs 640 x 480",
        measure="importing.photographs",
        unit=Unit.IMAGES_A_SECOND,
        budget=500,
        memory_mb=512,
        needs=PHOTOGRAPHS,
    ),
    Row(
        work="import COCO, {coco:,} images already stored, 7.3 boxes each",
        measure="importing.coco",
        unit=Unit.IMAGES_A_SECOND,
        budget=8_000,
        memory_mb=1024,
        needs=COCO,
        peers="Datumaro 5,400/s; mir 2,400/s; FiftyOne 290/s",
    ),
    Row(
        work="export {small:,} images as COCO, without images",
        measure="exporting.coco",
        budget=0.6,
        needs=IMPORTED,
        peers="Datumaro 1.25 s; mir 2.6 s with images; FiftyOne 14.4 s",
    ),
    Row(
        work="export {small:,} images as VOC, without images",
        measure="exporting.voc",
        budget=1.5,
        needs=IMPORTED,
        peers="Datumaro 4.2 s; mir 4.9 s with images; FiftyOne 14.9 s",
    ),
    Row(
        work="COCO mAP, {small:,} images, 20 classes",
        measure="evaluating.coco_map",
        budget=2.5,
        needs=PREDICTED,
        peers="pycocotools 13.0 s (677 MB); faster-coco-eval 2.2 s (526 MB)",
    ),
    Row(
        work="ymir --version",
        measure="commands.version",
        budget=0.2,
        peers="mir 0.37 s; Datumaro 0.37 to 0.53 s; FiftyOne 2.9 s",
    ),
    Row(work="ymir serve ready, first start", measure="serving.ready", budget=2.0),
    Row(
        work="POST a task -> 202, {posts:,} at 200/s, p99",
        measure="serving.posts",
        unit=Unit.MILLISECONDS,
        budget=30,
        peers="bare aiohttp + pydantic: p99 5 ms at 19,500/s, nothing kept",
    ),
    Row(
        work="{tasks:,} smallest tasks, HTTP to end event",
        measure="serving.tasks",
        unit=Unit.TASKS_A_SECOND,
        budget=500,
        peers=DURABLE,
    ),
    Row(work="idle processor time of ymir serve", measure="serving.idle", unit=Unit.PERCENT, budget=1.0),
    Row(work="a killed service's task runs again", measure="serving.again", budget=45.0),
    Row(
        work="{accepted:,} no-op tasks, HTTP to end event, production",
        measure="tasks.nothing",
        unit=Unit.TASKS_A_SECOND,
        budget=500,
        peers=DURABLE,
    ),
    Row(
        work="{accepted:,} / 4 smallest tasks, HTTP to end event, production",
        measure="tasks.smallest",
        unit=Unit.TASKS_A_SECOND,
    ),
    Row(
        work="due to claimed at 100/s, p50, production",
        measure="tasks.starts",
        unit=Unit.MILLISECONDS,
        budget=25,
        peers="Hatchet (durable, 8 cores) 48 ms at 500/s",
    ),
    Row(
        work="POST a task -> 202, {posts:,} at 200/s, p99, production",
        measure="tasks.posts",
        unit=Unit.MILLISECONDS,
        budget=30,
        peers="bare aiohttp + pydantic: p99 5 ms at 19,500/s, nothing kept",
    ),
    Row(
        work="decided to told in the slowest of four ways, {posts:,} events at 100/s, p99, production",
        measure="telling.everywhere",
        unit=Unit.MILLISECONDS,
        budget=250,
    ),
    Row(work="idle gateway or worker, production", measure="tasks.idle", unit=Unit.PERCENT, budget=1.0),
    Row(work="a killed worker's task runs again, production", measure="tasks.again", budget=45.0),
    Row(
        work="import VOC, {small:,} JPEGs of 3 KB, into S3",
        measure="in_s3.small_voc",
        unit=Unit.IMAGES_A_SECOND,
        budget=1_000,
        memory_mb=512,
        needs=SMALL_FILES,
        peers="Oxen pushes 656 files/s",
    ),
    Row(
        work="import the same again into S3: bytes moved",
        measure="in_s3.small_voc_again",
        unit=Unit.BYTES,
        budget=0,
        needs=SMALL_FILES,
    ),
    Row(
        work="merge 2 x {images:,} images, host, cold from S3",
        measure="in_s3.merge_cold",
        budget=3.0,
        memory_mb=1536,
        needs=LARGE,
    ),
)
