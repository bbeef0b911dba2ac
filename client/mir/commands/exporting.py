"""``mir export``: images and annotations are written into folders."""

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Final

from client.mir.codes import Code, MirError
from client.mir.commands.algebra import GROUND_TRUTH, ref_of
from client.mir.commands.keywords import ATTRIBUTES
from client.mir.exported import Exported, unpacked
from client.mir.folders import use_folders
from client.mir.images import write_images
from client.mir.monitor import WorkFolder
from client.mir.repository import open_repository
from client.mir.revs import Rev, parse_rev
from client.mir.running import Run
from client.mir.session import working
from client.mir.sources import scratch
from client.mir.telling import show, tell
from schemas.datasets import Version

INDEX: Final = "index.tsv"


async def export(given: Namespace) -> None:
    """Write the images of a state, and its annotations in a format, each with an ``index.tsv``."""
    if given.asset_format != "raw":
        message = f"--asset-format {given.asset_format} is not offered"
        raise MirError(Code.INVALID_ARGS, message, step="Use --asset-format raw.")
    repository = open_repository(given.root)
    use_folders(repository, images=given.media_location)
    rev = parse_rev(given.src_revs)
    work = WorkFolder(None if given.work_dir is None else Path(given.work_dir).expanduser().absolute(), "export")
    work.start()
    async with working(repository, label_file=given.user_label_file) as session:
        run = Run(session, Rev(f"export-{rev.branch}"), work)
        version = await session.given(rev)
        assets = _folder(given.asset_dir)
        written = await _exported(run, version, given, assets)
    show(f"{written} images in {assets}")


async def _exported(run: Run, version: Version, given: Namespace, assets: Path) -> int:
    annotations = given.annotation_dir or given.gt_dir
    wanted = [(annotations, GROUND_TRUTH)] if annotations is not None else []
    if given.pred_dir is not None:
        wanted.append((given.pred_dir, _predictions(version)))
    if given.format == "none" and wanted:
        tell("no annotations are written: choose a format with --format to have some")
        for folder, _ in wanted:
            _folder(folder)
    if given.format != "none" and not wanted:
        step = "Say where they are to be written: --annotation-dir DIR"
        raise MirError(Code.INVALID_ARGS, f"--format {given.format} needs a folder for annotations", step=step)
    asked = wanted if given.format != "none" else [(None, GROUND_TRUTH)]
    count = 0
    for number, (folder, layer) in enumerate(asked):
        async with scratch(run.session) as temporary:
            exported = await _archive(run, version, given, layer, temporary)
            if number == 0:
                count = len(exported.names)
                await write_images(run.session, version, exported.names, assets)
                _write_index(assets / INDEX, [str(assets / name) for name in sorted(exported.names)])
            if folder is not None:
                await asyncio.to_thread(_write_annotations, exported, _folder(folder), assets)
    return count


async def _archive(run: Run, version: Version, given: Namespace, layer: str, folder: Path) -> Exported:
    classes = [name.strip().lower() for name in (given.cis or "").split(";") if name.strip()]
    parameters = {
        "type": "export",
        "source": ref_of(version),
        "format": given.format,
        "layer": layer,
        "classes": classes,
        "images": False,
    }
    task = await run.task(parameters, share=(0.0, 0.7))
    archive = folder / "export.zip"
    await run.session.client.save(f"/v1/tasks/{task.id}/archive", archive)
    return await asyncio.to_thread(unpacked, archive, folder / "files")


def _predictions(version: Version) -> str:
    layers = sorted(set(version.counts.layers) - {GROUND_TRUTH, ATTRIBUTES})
    if not layers:
        raise MirError(Code.NO_ANNOTATIONS, "there are no predictions", step="Leave out --pred-dir.")
    if len(layers) > 1:
        tell(f"of the predictions {', '.join(layers)} the first are written")
    return layers[0]


def _write_annotations(exported: Exported, folder: Path, assets: Path) -> None:
    exported.move_to(folder)
    lines = [
        f"{assets / name}\t{folder / labels}"
        for name in sorted(exported.names)
        if (labels := exported.labels_of(name)) is not None
    ]
    _write_index(folder / INDEX, lines)


def _write_index(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")


def _folder(path: str) -> Path:
    folder = Path(path).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder {folder} cannot be made: {error.strerror}"
        raise MirError(Code.PERMISSION_ERROR, message, step="Choose another.") from error
    return folder
