"""Which executor a task runs in: a registered one, by its name or by the image that it was registered from."""

import re
from collections.abc import Mapping
from typing import Any, Final

from client.calls import Refused
from client.mir.codes import Code, MirError
from client.mir.session import Session
from client.mir.telling import tell
from schemas.executors import Executor, ExecutorSubmission, Purpose, Runtime

IMAGE: Final = re.compile(r"[/:]")
_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9._-]+")


async def executor_named(session: Session, text: str) -> Executor:
    """Return an executor; an image that nobody registered yet is registered. Raise MirError."""
    known = [executor async for executor in session.client.items(Executor, "/v1/executors")]
    for executor in known:
        if text in {executor.name, executor.reference}:
            return executor
    names = ", ".join(executor.name for executor in known) or "none"
    if not IMAGE.search(text):
        step = f"Registered: {names}."
        raise MirError(Code.INVALID_ARGS, f"there is no executor {text!r}", step=step)
    return await _registered(session, text, known=names)


async def _registered(session: Session, image: str, *, known: str) -> Executor:
    name = _UNNAMEABLE.sub("-", image).strip("-")[-100:].lstrip("-._")
    submission = ExecutorSubmission(name=name, runtime=Runtime.DOCKER, reference=image)
    try:
        executor = await session.client.post(Executor, "/v1/executors", submission)
    except Refused as error:
        problem = error.problem
        step = f"{problem.step} Executors that run here: {known}; use one of them with --executor.".strip()
        message = f"the image {image} cannot be run here: {problem.detail}"
        raise MirError(Code.CONTAINER_ERROR, message, step=step) from error
    tell(f"registered {image} as {executor.name}")
    return executor


def asked(executor: Executor, configuration: Mapping[str, Any], *, purpose: Purpose) -> dict[str, Any]:
    """Return how a task names an executor, its configuration and its GPUs; classes are a parameter of the task.

    What belongs to another purpose of the same executor is left out: one file may be for mining and for inference.
    """
    every = (executor.templates, *executor.type_templates.values())
    mine = {name for templates in every for name in templates.get(purpose, ())}
    others = {name for templates in every for template in templates.values() for name in template} - mine
    config = {name: value for name, value in configuration.items() if name not in {"class_names", *others}}
    return {"executor": executor.name, "config": config, "gpus": _gpus(configuration)}


def _gpus(configuration: Mapping[str, Any]) -> int:
    """Return how many GPUs a configuration names: ``gpu_count``, else the devices of ``gpu_id: "0,1"``."""
    count = configuration.get("gpu_count")
    if isinstance(count, int) and count >= 0:
        return count
    return len([one for one in str(configuration.get("gpu_id", "")).split(",") if one.strip()])
