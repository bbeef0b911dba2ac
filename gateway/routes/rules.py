"""Rules: when this happens, then that task."""

from typing import Any, Final

from aiohttp import web

from gateway.finding import readable_project
from gateway.idempotency import identity_of
from gateway.operations import Routes
from gateway.problems import problem_of_error
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import changed, nothing, reply
from gateway.rules import checked_task
from gateway.ruling import is_for
from gateway.services import CALLER, SERVICES
from schemas.errors import Conflict, Denied, NotFound, YmirError
from schemas.events import CloudEvent
from schemas.keys import ApiKey
from schemas.pages import Page
from schemas.rules import Rule, RuleChange, RuleRun, RuleSubmission, RuleTrial, RuleVerdict
from schemas.schema import Id
from storage.contested import added
from storage.ports import Query

routes: Final = Routes("rules")

RULE: Final = "/v1/rules/{id}"


class RuleQuery(PageQuery):
    """Which rules are listed."""

    project: str | None = None


@routes.get("/v1/rules", query=RuleQuery, answer=Page[Rule])
async def list_rules(request: web.Request) -> web.Response:
    """List the rules of the projects that the caller may read; a page may be short and still not be the last."""
    query = read_query(request, RuleQuery)
    wanted = Query()
    if query.project is not None:
        wanted = Query(equal={"project": (await readable_project(request, query.project)).id})
    documents = request.app[SERVICES].database.documents(Rule)
    page = await documents.list(wanted, order="name", limit=page_size(request, query), cursor=query.cursor)
    seen = tuple(rule for rule in page.items if request[CALLER].role_in(rule.project) is not None)
    return reply(Page[Rule](items=seen, next=page.next))


@routes.post("/v1/rules", body=RuleSubmission, answer=Rule, status=201, created=True)
async def create_rule(request: web.Request) -> web.Response:
    """Make a rule: what happens from now on is looked at by it."""
    submission, services = await read(request, RuleSubmission), request.app[SERVICES]
    project = await readable_project(request, submission.project)
    _check_administers(request[CALLER], project.id, project.name)
    given = submission.model_dump(exclude={"project", "when"})
    rule = Rule(
        **given,
        id=identity_of(request),
        project=project.id,
        project_name=project.name,
        when=submission.when,
        created_by=request[CALLER].name,
        created_at=services.clock(),
    )
    rules = services.database.documents(Rule)
    try:
        rule = await added(rule, rules)
    except Conflict as conflict:
        raise Conflict("rule", rule.name, key=conflict.key, step="Choose another name.") from conflict
    return reply(rule, status=201, headers={"Location": f"/v1/rules/{rule.id}"})


@routes.get(RULE, answer=Rule)
async def show_rule(request: web.Request) -> web.Response:
    """Show a rule."""
    return reply(await _rule_of(request))


@routes.patch(RULE, body=RuleChange, answer=Rule)
async def change_rule(request: web.Request) -> web.Response:
    """Change a rule, or switch it off or on."""
    change = await read(request, RuleChange)
    given: dict[str, Any] = {
        name: value for name in change.model_fields_set if (value := getattr(change, name)) is not None
    }
    rules = request.app[SERVICES].database.documents(Rule)
    return reply(await changed(request, rules, lambda: _administered(request), lambda rule: rule.successor(**given)))


@routes.delete(RULE)
async def remove_rule(request: web.Request) -> web.Response:
    """Remove a rule; the tasks that it asked for go on."""
    rule = await _administered(request)
    await request.app[SERVICES].database.documents(Rule).remove(rule.id)
    return nothing()


@routes.get(f"{RULE}/runs", query=PageQuery, answer=Page[RuleRun])
async def list_runs(request: web.Request) -> web.Response:
    """List what a rule made of events, the newest first: a task, or why there is none."""
    query, rule = read_query(request, PageQuery), await _rule_of(request)
    runs = request.app[SERVICES].database.documents(RuleRun)
    limit = page_size(request, query)
    return reply(await runs.list(Query(equal={"rule": rule.id}), order="-at", limit=limit, cursor=query.cursor))


@routes.post(f"{RULE}/try", body=RuleTrial, answer=RuleVerdict)
async def try_rule(request: web.Request) -> web.Response:
    """Tell what a rule would do with an event, and do nothing."""
    trial, rule = await read(request, RuleTrial), await _rule_of(request)
    event = trial.event or await _logged(request, rule, trial.position or 0)
    if not is_for(rule.when, event):
        return reply(RuleVerdict(matches=False))
    try:
        checked = await checked_task(rule, event, request.app[SERVICES])
    except YmirError as error:
        return reply(RuleVerdict(matches=True, problem=problem_of_error(error)))
    return reply(RuleVerdict(matches=True, parameters=checked.parameters.model_dump(mode="json")))


async def _logged(request: web.Request, rule: Rule, position: int) -> CloudEvent:
    page = await request.app[SERVICES].event_log.after(position - 1, projects=[rule.project], limit=1)
    if not page.items or page.items[0].position != position:
        raise NotFound("event of this project", position, step="GET /v1/events lists those that are kept.")
    return page.items[0].event


async def _rule_of(request: web.Request) -> Rule:
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Rule).get_many([identity])
    if not found or request[CALLER].role_in(found[0].project) is None:
        raise NotFound("rule", identity, step="GET /v1/rules lists those there are.")
    return found[0]


async def _administered(request: web.Request) -> Rule:
    rule = await _rule_of(request)
    _check_administers(request[CALLER], rule.project, rule.project_name)
    return rule


def _check_administers(caller: ApiKey, project: Id, name: str) -> None:
    if not caller.administers([project]):
        detail = f"The key {caller.name!r} does not administer the project {name!r}."
        raise Denied(detail, step="Use the key of an administrator: a rule goes on asking when its maker has left.")
