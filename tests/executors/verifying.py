"""The sample executor, whole or broken in one place, through the conformance kit."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from schemas.conformance import Conformance, Verdict
from schemas.executors import Purpose
from workers.executors.conformance.plans import Plan
from workers.executors.conformance.subjects import folder_subject
from workers.executors.conformance.verify import verify
from workers.executors.process import ProcessRuntime, ProcessSettings

SAMPLE = Path(__file__).parents[2] / "deploy" / "executors" / "sample-executor"
QUICK = ProcessSettings(grace_seconds=0.5, poll_seconds=0.05)


def a_variant(
    to: Path, file: str = "sample.py", old: str = "", new: str = "", *, extra: Mapping[str, str] = {}
) -> Path:
    """Return a copy of the sample with one text in the place of another, and files beside."""
    shutil.copytree(SAMPLE, to)
    if old:
        text = (to / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        (to / file).write_text(text.replace(old, new), encoding="utf-8")
    for name, content in extra.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(content, encoding="utf-8")
    return to


async def verified(folder: Path, plan: Plan, *, settings: ProcessSettings = QUICK) -> Conformance:
    """Return the verdicts on a folder."""
    root = folder.parent / "runs"
    root.mkdir()
    subject = await folder_subject(folder)
    return await verify(subject, plan, runtime=ProcessRuntime(settings), root=root, tell=lambda _: None)


def broken(found: Conformance) -> dict[str, list[str]]:
    """Return the rules that are broken, each with its details; those of a purpose begin with it."""
    return {name_of(one.purpose, one.rule): [*one.details] for one in found.verdicts if one.verdict is Verdict.BROKEN}


def name_of(purpose: Purpose | None, rule: str) -> str:
    return rule if purpose is None else f"{purpose}/{rule}"
