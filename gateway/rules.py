"""Acting on rules: every event that one is for becomes a task, once, and is written down."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog
from aiohttp import web
from pydantic_core import to_json

from gateway.acceptance import Checked, check
from gateway.errands import ERRANDS, Errands
from gateway.problems import problem_of_error, problem_of_status
from gateway.reading import parse
from gateway.routes.tasks import PARAMETERS
from gateway.ruling import filled_in, is_for
from gateway.services import SERVICES, Services
from gateway.signs import SIGNS
from schemas.errors import Invalid, NotFound, Unavailable, YmirError
from schemas.events import CloudEvent, LoggedEvent
from schemas.keys import ApiKey, Grant, Role, secret_digest
from schemas.problems import Problem
from schemas.projects import Project
from schemas.rules import Rule, RuleRun
from schemas.schema import Id, derived_id, new_id
from schemas.tasks import Cause, Task
from storage.beside import beside
from storage.contested import added
from storage.following import Follower
from storage.paging import every

FOLLOWER: Final = "rules"

log = structlog.get_logger(__name__)


class Rules:
    """The rules of a deployment, as one process acts on them."""

    def __init__(self, services: Services, errands: Errands) -> None:
        self._services = services
        self._errands = errands

    async def act(self, events: Sequence[LoggedEvent]) -> None:
        """Ask for the tasks that rules make of some events; what is done twice is done once. Raises Unavailable."""
        rules = self._services.database.documents(Rule)
        found = [rule async for rule in every(rules) if rule.enabled]
        for logged in events:
            for rule in found:
                if rule.project == logged.project and is_for(rule.when, logged.event):
                    await self._run(rule, logged)

    async def _run(self, rule: Rule, logged: LoggedEvent) -> None:
        runs = self._services.database.documents(RuleRun)
        identity = derived_id("rule run", rule.id, logged.event.id)
        if await runs.get_many([identity]):
            return
        depth = await self._depth(logged.event)
        task, problem = await self._asked(rule, logged, depth)
        run = RuleRun(
            id=identity,
            rule=rule.id,
            event=logged.event.id,
            position=logged.position,
            depth=depth,
            task=task,
            problem=problem,
            at=self._services.clock(),
        )
        log.info("a rule was acted on", rule=rule.name, position=logged.position, task=task, depth=depth)
        await added(run, runs)  # another gateway may be as fast

    async def _asked(self, rule: Rule, logged: LoggedEvent, depth: int) -> tuple[Id | None, Problem | None]:
        try:
            return (await self._keep(rule, logged, depth)).id, None
        except Unavailable:
            raise
        except YmirError as error:
            return None, problem_of_error(error)
        except Exception:
            # One event that breaks something must not keep all rules from all that come after it.
            reference = new_id()
            log.exception("a rule broke", rule=rule.name, position=logged.position, reference=reference)
            detail = f"Something broke that should not have; it is in the log under {reference}."
            return None, problem_of_status(500, detail)

    async def _keep(self, rule: Rule, logged: LoggedEvent, depth: int) -> Task:
        if depth > rule.depth_at_most:
            most = rule.depth_at_most
            detail = f"{depth} rules led from one to the other; the rule {rule.name!r} goes no deeper than {most}."
            raise Invalid(detail, step="Look for rules that go round in a circle, or raise depth_at_most.")
        services, now = self._services, self._services.clock()
        checked = await checked_task(rule, logged.event, services)
        task = Task(
            id=derived_id("rule task", rule.id, logged.event.id),
            project=rule.project,
            parameters=checked.parameters,
            inputs=checked.inputs,
            created_by=f"rule {rule.name}",
            cause=Cause(rule=rule.id, event=logged.event.id, position=logged.position, depth=depth),
            created_at=now,
            updated_at=now,
        ).accepted()
        known = await added(task, services.database.documents(Task))
        if known is task:  # else it was asked for by whoever was stopped before that was written down
            self._errands.ring(task)
        return known

    async def _depth(self, event: CloudEvent) -> int:
        """Return how many rules led to a task that this event asks for."""
        made_by = event.data.get("task")
        found = await self._services.database.documents(Task).get_many([str(made_by)]) if made_by else []
        return 1 + (found[0].cause.depth if found and found[0].cause is not None else 0)


async def checked_task(rule: Rule, event: CloudEvent, services: Services) -> Checked:
    """Return the task that a rule makes of an event, checked as one that is posted; raise what refuses that."""
    parameters = parse(to_json(filled_in(rule, event)), PARAMETERS)
    found = await services.database.documents(Project).get_many([rule.project])
    if not found or found[0].removed_at is not None:
        raise NotFound("project", rule.project_name, step="Show it again, or remove the rule.")
    return await check(parameters, found[0], services, caller=_caller(rule))


def _caller(rule: Rule) -> ApiKey:
    """Return a rule as one who asks for tasks: it may what a member of its project may, and nothing elsewhere."""
    grant = Grant(project=rule.project, name=rule.project_name, role=Role.MEMBER)
    name = f"rule {rule.name}"
    return ApiKey(id=rule.id, name=name, secret=secret_digest(""), grants=(grant,), created_at=rule.created_at)


def acting_on_rules(app: web.Application) -> web.Application:
    """Have an application act on rules as long as it runs: one that only answers does not."""
    app.cleanup_ctx.append(_acting)
    return app


async def _acting(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    acting = Rules(services, app[ERRANDS])
    database, event_log = services.database, services.event_log
    follower = Follower(FOLLOWER, acting.act, database=database, event_log=event_log, signs=app[SIGNS])
    async with beside(follower.run):
        yield
