"""Running a task for a command: it is asked for, watched, remembered; and how it ended becomes the command's end."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from client.calls import Refused
from client.mir.codes import Code, MirError, code_of
from client.mir.looking import counted_state
from client.mir.monitor import State, WorkFolder
from client.mir.refusals import mir_error, steps_here
from client.mir.repository import Entry, open_repository
from client.mir.revs import Rev, parse_dst_rev
from client.mir.session import Session, working
from client.mir.telling import end_progress, show_progress, tell
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import YmirError
from schemas.reports import Report
from schemas.tasks import Task

CANCEL_SECONDS: Final = 15.0
FINDINGS_TOLD: Final = 10


class Run(NamedTuple):
    """One command at work: where its result goes, and where it tells how far it is."""

    session: Session
    to: Rev
    work: WorkFolder

    async def task(self, parameters: Mapping[str, Any], *, share: tuple[float, float] = (0.0, 1.0)) -> Task:
        """Run a task to its end and return it; ``share`` is its part of the command. Raise MirError if it fails."""
        kind = str(parameters["type"])
        start, end = share

        def watch(task: Task) -> None:
            fraction = start + (end - start) * task.progress.fraction
            self.work.tell(fraction, State.RUNNING)
            show_progress(fraction, task.progress.phase)

        asked: Task | None = None
        try:
            asked = await self._asked(parameters)
            ended = await self.session.client.ended(asked, watch=watch)
        except Refused as error:
            raise await self._failure(error, kind, asked) from error
        except asyncio.CancelledError:
            await self._cancelled(asked)
            raise
        finally:
            end_progress()
        await self._told(ended)
        return ended

    async def _asked(self, parameters: Mapping[str, Any]) -> Task:
        """Ask for a task; a branch that was removed is begun anew, as its versions stay hidden."""
        path = f"{self.session.path}/tasks"
        try:
            return await self.session.client.post(Task, path, parameters)
        except Refused as error:
            hidden = [
                fault for fault in error.problem.errors if fault.pointer == "/dataset" and "is hidden" in fault.detail
            ]
            if not hidden:
                raise
        await self.session.show(parameters["dataset"])
        return await self.session.client.post(Task, path, parameters)

    async def made_version(self, task: Task) -> None:
        """End the command with the version that a task made: it is the current one now."""
        result = task.result
        path = f"{self.session.path}/datasets/{result.dataset}/versions/{result.number}"
        version = await self.session.client.get(Version, path)
        # Counted now, so that `mir show` need not.
        await counted_state(self.session, version, tid=self.to.tid)
        self.done(task)
        tell(f"{self.to}: {counted(version.counts.images, 'asset')}")

    def done(self, task: Task | None, *, kind: str = "") -> None:
        """End the command: what it did is remembered, and its branch the current one."""
        self._note(kind or (task.parameters.type if task else ""), None if task is None else task.id)
        self.session.repository.move_head(Rev(self.to.branch))
        self.work.tell(1.0, State.DONE)

    def fail(self, error: MirError, *, kind: str) -> None:
        """Remember that the command failed."""
        self._note(kind, error.task, code=error.code, message=error.message.partition("\n")[0])
        self.work.tell(0.0, State.ERROR, error.code, error.message)

    async def _failure(self, refused: Refused, kind: str, task: Task | None) -> MirError:
        problem = refused.problem
        code = code_of(problem, type=kind)
        message = f"{problem.detail}{await self._details(refused, task)}"
        if code in {Code.CONTAINER_ERROR, Code.NO_RESULT}:
            await self._show_log(task)
        step = steps_here(code, kind) or problem.step
        return MirError(code, message, step=step, task=None if task is None else task.id)

    async def _told(self, task: Task) -> None:
        """Tell what a task warns of, with the first findings of its report; all of them go to the work folder."""
        for warning in task.warnings:
            tell(f"warning: {warning.removesuffix(': see the report.')}")
        if task.report is None or not task.warnings:
            return
        report = await self.session.client.get(Report, f"/v1/tasks/{task.id}/report")
        lines = _found(report)
        self.work.log(lines)
        for line in _first(lines, more=len(lines) - FINDINGS_TOLD):
            tell(f"  {line}")

    async def _details(self, refused: Refused, task: Task | None) -> str:
        """Return the first faults, below each other; all that the report has go to the work folder."""
        faults = [f"{fault.pointer}: {fault.detail}".removeprefix(": ") for fault in refused.problem.errors]
        found: list[str] = []
        if task is not None:
            with suppress(Refused):  # there is none
                found = _found(await self.session.client.get(Report, f"/v1/tasks/{task.id}/report"))
        self.work.log(found or faults)
        more = max(len(found), len(faults)) - FINDINGS_TOLD
        return "".join(f"\n  {line}" for line in _first(faults or found, more=more))

    async def _show_log(self, task: Task | None) -> None:
        if task is None:
            return
        with suppress(Refused):
            log = (await self.session.client.read(f"/v1/tasks/{task.id}/log")).decode(errors="replace")
            tell("EXECUTOR OUTLOG TAIL FROM: " + task.id)
            for line in log.splitlines()[-5:]:
                tell(line)

    async def _cancelled(self, task: Task | None) -> None:
        """Cancel a task that nobody waits for any more: the next command would take it up otherwise."""
        if task is None:
            return
        tell("stopping")
        with suppress(YmirError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(CANCEL_SECONDS):
                await self.session.client.post(Task, f"/v1/tasks/{task.id}/cancel")
                await self.session.client.ended(task)

    def _note(self, kind: str, task: str | None, *, code: int = 0, message: str = "") -> None:
        branch, tid = self.to.branch, self.to.tid or ""
        self.session.repository.note(Entry(branch, tid, kind, 0.0, task=task, code=code, message=message))


@asynccontextmanager
async def running(given: Namespace, kind: str) -> AsyncIterator[Run]:
    """Open the run of a command with ``--dst-rev`` and perhaps ``-w``; that it fails is remembered. Raise MirError."""
    to = parse_dst_rev(given.dst_rev)
    repository = open_repository(given.root)
    work = WorkFolder(None if given.work_dir is None else Path(given.work_dir).expanduser().absolute(), to.tid or "")
    work.start()
    async with working(repository, label_file=given.user_label_file) as session:
        run = Run(session, to, work)
        try:
            yield run
        except asyncio.CancelledError:
            run.fail(MirError(Code.ERROR_UNKNOWN, "interrupted"), kind=kind)
            raise
        except MirError as error:
            run.fail(error, kind=kind)
            raise
        except YmirError as error:
            failure = mir_error(error, type=kind)
            run.fail(failure, kind=kind)
            raise failure from error
        except Exception as error:
            run.fail(MirError(Code.ERROR_UNKNOWN, repr(error)), kind=kind)
            raise


def _found(report: Report) -> list[str]:
    return [f"{finding.subject}: {finding.detail}".removeprefix(": ") for finding in report.findings]


def _first(lines: Sequence[str], *, more: int) -> list[str]:
    return [*lines[:FINDINGS_TOLD], *([f"… and {more} more; with -w all are in out/log.txt"] if more > 0 else [])]


def target(run: Run, message: str) -> dict[str, str]:
    """Return the parameters that say where a new version goes."""
    dataset, _, tag = run.to.ref.partition("@")
    return {"dataset": dataset, "tag": tag, "message": message}
