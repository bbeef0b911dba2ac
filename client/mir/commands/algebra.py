"""``mir filter``, ``merge``, ``sampling`` and ``fuse``: states made of states."""

from argparse import Namespace
from collections.abc import Awaitable, Callable
from typing import Any, Final

from client.mir.codes import Code, MirError
from client.mir.commands.keywords import ATTRIBUTES, forget, narrowed
from client.mir.revs import Rev, parse_rev, parse_revs
from client.mir.running import Run, running, target
from client.mir.session import Session
from client.mir.telling import show
from schemas.datasets import Version
from schemas.tasks import Task

GROUND_TRUTH: Final = "ground_truth"
ALMOST_ONE: Final = 1 - 1e-9

Made = Callable[[Run], Awaitable[dict[str, Any]]]


async def merge(given: Namespace) -> None:
    """Unite sources, and leave out what others have."""
    sources, excluded = parse_revs(given.src_revs), _excluded(given)
    message = f"merge: {given.src_revs}{f' - {given.ex_src_revs}' if excluded else ''} to {given.dst_rev}"

    async def parameters(run: Run) -> dict[str, Any]:
        return {**target(run, message), **await _united(run.session, sources, excluded, given)}

    await _run(given, "merge", parameters)


async def keep(given: Namespace) -> None:
    """Keep the assets that have some classes and lack others."""
    rev = parse_rev(given.src_revs)

    async def parameters(run: Run) -> dict[str, Any]:
        version = await narrowed(run, await run.session.given(rev), given)
        base = {**target(run, f"filter: {given.src_revs}"), "source": ref_of(version)}
        asked = _conditions(given, [version])
        is_annotated = bool(set(version.counts.layers) - {ATTRIBUTES})
        if not is_annotated and _names(given.cis):
            message = f"{given.src_revs} has no annotations, and so no class"
            raise MirError(Code.NO_ANNOTATIONS, message, step="Import it with annotations, or filter without -p.")
        # Nothing is asked for, or no class is on any image that could be left out for it.
        return {**base, **asked} if asked and is_annotated else {"type": "sample", **base, "rate": 1.0}

    await _run(given, "filter", parameters)


async def sampling(given: Namespace) -> None:
    """Keep some of the assets, by lot."""
    rev, portion = parse_rev(given.src_revs), _portion(given)

    async def parameters(run: Run) -> dict[str, Any]:
        version = await run.session.given(rev)
        asked = portion or {"rate": 1.0}
        return {**target(run, f"sampling: {given.src_revs}"), "source": ref_of(version), **asked}

    await _run(given, "sample", parameters)


async def fuse(given: Namespace) -> None:
    """Merge, filter and sample in one step."""
    sources, excluded, portion = parse_revs(given.src_revs), _excluded(given), _portion(given)
    if given.cks or given.ex_cks:
        step = "Merge first, then filter with -c or -C, then sample."
        raise MirError(Code.INVALID_ARGS, "invalid arg: fuse takes no keywords", step=step)

    async def parameters(run: Run) -> dict[str, Any]:
        united = await _united(run.session, sources, excluded, given)
        versions = [version for rev in sources if (version := await run.session.version(rev)) is not None]
        asked: dict[str, Any] = {**target(run, f"fuse: {given.src_revs}"), **united}
        asked |= {"conditions": conditions} if (conditions := _conditions(given, versions)) else {}
        return asked | ({"portion": portion} if portion else {})

    await _run(given, "fuse", parameters)


def ref_of(version: Version) -> str:
    """Return the ref that means a version for ever."""
    return f"{version.dataset_name}@{version.number}"


async def _run(given: Namespace, kind: str, parameters: Made) -> None:
    async with running(given, kind) as run:
        task = await run.task({"type": kind, **await parameters(run)})
        _tell_of(task)
        await run.made_version(task)
        if kind == "filter":
            await forget(run, given)


def _tell_of(task: Task) -> None:
    joint = task.result.summary.get("joint")
    if isinstance(joint, dict) and any(joint.values()):
        show(f"in several sources: {', '.join(f'{name}: {count}' for name, count in joint.items())}")


def _excluded(given: Namespace) -> list[Rev]:
    return parse_revs(given.ex_src_revs) if given.ex_src_revs else []


async def _united(session: Session, sources: list[Rev], excluded: list[Rev], given: Namespace) -> dict[str, Any]:
    """Return the parameters of a merge; sources that are always empty add nothing."""
    named = [(rev, await session.version(rev)) for rev in sources]
    parts = [
        {"ref": ref_of(version), **({} if rev.split is None else {"split": rev.split})}
        for rev, version in named
        if version is not None
    ]
    if not parts:
        step = "Name a branch with something in it: mir branch lists them."
        raise MirError(Code.INVALID_ARGS, f"all sources are empty: {given.src_revs}", step=step)
    without = [version for rev in excluded if (version := await session.version(rev)) is not None]
    return {"sources": parts, "exclude": [ref_of(version) for version in without], "strategy": given.strategy}


def _conditions(given: Namespace, versions: list[Version]) -> dict[str, Any]:
    """Return the conditions of a filter; none where nothing is asked for."""
    include, exclude = _names(given.cis), _names(given.ex_cis)
    if not (include or exclude):
        return {}
    return {"include_classes": include, "exclude_classes": exclude, "layers": _layers(given, versions)}


def _names(text: str | None) -> list[str]:
    return [name.strip().lower() for name in (text or "").split(";") if name.strip()]


def _layers(given: Namespace, versions: list[Version]) -> list[str]:
    """Return the layers in which classes are looked for; raise MirError if there are none of that kind."""
    known = {layer for version in versions for layer in version.counts.layers} - {ATTRIBUTES}
    predictions = sorted(known - {GROUND_TRUTH})
    if given.filter_anno_src == "pred" and not predictions:
        step = "Have a model predict first: mir mining --add-prediction, or import with --pred-dir."
        raise MirError(Code.NO_ANNOTATIONS, f"{given.src_revs} has no predictions", step=step)
    if given.filter_anno_src == "gt":
        return [GROUND_TRUTH]
    return predictions if given.filter_anno_src == "pred" else sorted(known) or [GROUND_TRUTH]


def _portion(given: Namespace) -> dict[str, Any]:
    """Return how much is to be taken; nothing where all is."""
    if given.count < 0 or not 0 <= given.rate <= 1:
        step = "--count is 0 or more, --rate from 0 to 1."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: --count {given.count} --rate {given.rate}", step=step)
    if given.count:
        return {"count": given.count, "seed": given.seed}
    return {"rate": given.rate, "seed": given.seed} if 0 < given.rate < ALMOST_ONE else {}
