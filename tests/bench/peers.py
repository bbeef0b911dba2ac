"""Other programs on the same pictures, where they install: ``make bench-peers``."""

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from tests.bench import pictures
from tests.bench.growth import size_of
from tests.bench.synthetic import CLASSES

PLACE: Final = Path("build/peers")
DATUMARO: Final = "datumaro"
# What it needs and does not say.
MIR: Final = ("ymir-cmd", "pycocotools")
PYTHON_OF_MIR: Final = "python3.8"

# Run by the Python of the peer's own environment; prints what was done and the seconds that it took.
ON_DATUMARO: Final = """
import sys, time
from datumaro.components.dataset import Dataset
voc, coco, out = sys.argv[1:]
def timed(what, act):
    start = time.perf_counter()
    result = act()
    print(f"{what}\\t{time.perf_counter() - start:.3f}", flush=True)
    return result
one = timed("import VOC, images not stored", lambda: len(Dataset.import_from(voc, "voc")))
def loaded():
    dataset = Dataset.import_from(coco, "coco")
    len(dataset)
    return dataset
dataset = timed("import COCO, images not stored", loaded)
timed("export COCO, without images", lambda: dataset.export(out + "/coco", "coco_instances", save_media=False))
timed("export VOC, without images", lambda: dataset.export(out + "/voc", "voc", save_media=False))
"""


class Timing(NamedTuple):
    """What a peer did, and how long it took."""

    work: str
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Print what those peers took that can be had here; beside it stands what was recorded of all."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    given = parser.parse_args(arguments)
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ymir-peers-") as folder:
        voc, coco = Path(folder) / "voc", Path(folder) / "coco"
        asyncio.run(_prepared(voc, coco, given.images))
        for name, peer in (("Datumaro", _datumaro), ("YMIR's mir", _mir)):
            print(f"\n{name}, {given.images:,} images", flush=True)
            _tell(peer, voc, coco, Path(folder))
    print("\nOurs, on such pictures: make bench ARGS='--only importing', make bench ARGS='--only exporting'")
    return 0


async def _prepared(voc: Path, coco: Path, images: int) -> None:
    size = size_of(images)
    await pictures.small_voc(voc, size)
    # As these programs look for them.
    (voc / "images").rename(voc / "JPEGImages")
    (voc / "annotations").rename(voc / "Annotations")
    lists = voc / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    names = sorted(path.stem for path in (voc / "JPEGImages").iterdir())
    (lists / "train.txt").write_text("\n".join(names), encoding="utf-8")
    (voc / "labelmap.txt").write_text("".join(f"{name}:::\n" for name in ("background", *CLASSES)), encoding="utf-8")
    (voc / "index.tsv").write_text("\n".join(str(voc / "JPEGImages" / f"{name}.jpg") for name in names))
    await pictures.coco(coco, size)
    first = coco / "first"
    (first / "annotations" / "instances.json").rename(first / "annotations" / "instances_train.json")
    (first / "images").rename(first / "train")
    (first / "images").mkdir()
    (first / "train").rename(first / "images" / "train")


def _tell(peer: Callable[[Path, Path, Path], Iterator[Timing]], voc: Path, coco: Path, out: Path) -> None:
    try:
        for timing in peer(voc, coco, out):
            print(f"    {timing.work:50} {timing.seconds:8.2f} s", flush=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"    cannot be had here: {_reason(error)}", flush=True)


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    told = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return (told or str(error)).strip().splitlines()[-1]


def _datumaro(voc: Path, coco: Path, out: Path) -> Iterator[Timing]:
    python = _environment("datumaro", sys.executable, (DATUMARO,))
    command = [str(python), "-c", ON_DATUMARO, str(voc), str(coco / "first"), str(out / "datumaro")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        work, tab, seconds = line.partition("\t")
        if tab:
            yield Timing(work, float(seconds))


def _mir(voc: Path, _: Path, out: Path) -> Iterator[Timing]:
    mir = _environment("mir", _python_of_mir(), MIR).with_name("mir")
    root = out / "mir"
    root.mkdir()
    _run(mir, "init", "--root", root)
    labels = [{"id": code, "name": name, "aliases": []} for code, name in enumerate(CLASSES)]
    (root / ".mir" / "labels.yaml").write_bytes(orjson.dumps({"version": 1, "labels": labels}))
    given = ("--index-file", voc / "index.tsv", "--gt-dir", voc / "Annotations", "--anno-type", "det-box")
    where = ("--gen-dir", out / "mir-assets", "--root", root)
    yield _timed(mir, "import VOC", ("import", *given, *where, "--dataset-name", "a", "--dst-rev", "a@a"))
    yield _timed(
        mir, "sample 10 %", ("sampling", "--root", root, "--src-revs", "a@a", "--dst-rev", "s@s", "--rate", "0.1")
    )
    yield _timed(mir, "show", ("show", "--root", root, "--src-revs", "a@a"))


def _python_of_mir() -> str:
    places = [shutil.which(PYTHON_OF_MIR), *map(str, Path.home().glob(".pyenv/versions/3.8.*/bin/python"))]
    for python in filter(None, places):
        # What pyenv puts into the path runs only where that version is chosen.
        if not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
            return python
    message = f"there is no {PYTHON_OF_MIR}, which it needs"
    raise FileNotFoundError(message)


def _environment(name: str, python: str, packages: Sequence[str]) -> Path:
    """Return the Python of a peer's own environment, which is made once."""
    place = PLACE / name
    if not (place / "ready").exists():
        print(f"    installing {' '.join(packages)} into {place}", flush=True)
        _run(python, "-m", "venv", "--clear", place)
        _run(place / "bin" / "python", "-m", "pip", "install", "--quiet", *packages)
        (place / "ready").touch()
    return (place / "bin" / "python").absolute()


def _timed(program: Path, work: str, arguments: Sequence[object]) -> Timing:
    start = time.perf_counter()
    _run(program, *arguments)
    return Timing(work, time.perf_counter() - start)


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
