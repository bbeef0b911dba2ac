"""``make demo``: start the service, run the loop on real pictures over HTTP, and write a report."""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from client.demo.folder import pictures_of
from client.demo.galleries import galleries
from client.demo.loop import ARMS, Loop, Pictures, Run
from client.demo.progress import Display
from client.demo.report import page
from client.demo.service import served
from client.demo.table import table
from schemas.errors import YmirError


def main() -> int:
    """Run the demo; return its exit status."""
    given = _arguments()
    started_at = time.monotonic()
    try:
        asyncio.run(_demo(given, started_at))
    except (YmirError, TimeoutError, RuntimeError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


async def _demo(given: argparse.Namespace, started_at: float) -> None:
    into: Path = given.into
    await asyncio.to_thread(shutil.rmtree, into, ignore_errors=True)
    await asyncio.to_thread(into.mkdir, parents=True)
    pictures = [await asyncio.to_thread(_pictures, given, into, seed) for seed in range(given.seeds)]
    runs = [Run(seed, f"demo-{seed}") for seed in range(given.seeds)]
    async with served(into / "service", import_root=into) as client:
        with Display(total=given.seeds * (1 + len(ARMS) * given.rounds)) as display:
            loops = [
                Loop(client, shown, run, watch=display.watch, measured=display.measured)
                for shown, run in zip(pictures, runs, strict=True)
            ]
            await _all(loops, given)
        drawn = await galleries(client, runs)
        table(runs)
    seconds = time.monotonic() - started_at
    report = into / "report.html"
    await asyncio.to_thread(report.write_text, page(runs, drawn, seconds=seconds), encoding="utf-8")
    print(f"{seconds:.0f} s. The report: {report}")


async def _all(loops: Sequence[Loop], given: argparse.Namespace) -> None:
    async def one(loop: Loop) -> None:
        await loop.start()
        async with asyncio.TaskGroup() as arms:
            for arm in ARMS:
                arms.create_task(loop.rounds(arm, count=given.rounds, picks=given.picks))

    async with asyncio.TaskGroup() as seeds:
        for loop in loops:
            seeds.create_task(one(loop))


def _pictures(given: argparse.Namespace, into: Path, seed: int) -> Pictures:
    folder = into / f"pictures-{seed}"
    if given.data is not None:
        return pictures_of(given.data, folder, seed=seed)
    from client.demo.digits import build  # noqa: PLC0415 - scikit-learn is not needed for one's own pictures

    made = build(folder, seed=seed)
    return Pictures(made.training, made.validation, made.pool, made.classes)


def _folder(text: str) -> Path:
    return Path(text).absolute()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="a VOC folder of yours: images and annotations")
    parser.add_argument("--seeds", type=int, default=3, help="how many times everything is repeated (3)")
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds of mining (3)")
    parser.add_argument("--picks", type=int, default=50, help="how many images each round labels (50)")
    parser.add_argument(
        "--into", type=_folder, default=_folder("demo"), help="the folder for everything; emptied first"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
