"""Commands about rules: when this happens, then that task."""

from argparse import ArgumentParser, Namespace

from client.api import at
from client.ymir.ending import run
from client.ymir.given_json import object_of
from client.ymir.reaching import add_common, changing, reading
from client.ymir.telling import tell, tell_all
from schemas.rules import Rule, RuleRun, RuleVerdict


def add_list(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir rules list``."""
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_new(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir rules add``."""
    parser.add_argument("rule", metavar="JSON", help="name, project, when and then; - reads it from standard input")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_add(given)))


def add_one(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of a command about one rule."""
    parser.add_argument("id", metavar="ID", help="as ymir rules list says it")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(ONE[name](given)))


def add_try(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of ``ymir rules try``."""
    add_one(parser, name)
    parser.add_argument("position", type=int, metavar="POSITION", help="of an event in the log; ymir watch shows them")


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        found = [rule async for rule in client.items(Rule, at("rules"))]
    rows = [(one.id, one.project_name, one.name, _when(one), str(one.then["type"])) for one in found]
    tell_all(given, ("id", "project", "rule", "when", "then"), zip(found, rows, strict=True))
    return 0


async def _add(given: Namespace) -> int:
    async with changing(given) as client:
        made = await client.post(Rule, at("rules"), object_of(given.rule))
    tell(made.model_dump_json() if given.json else f"rule {made.name}: {made.id}")
    return 0


async def _remove(given: Namespace) -> int:
    async with changing(given) as client:
        await client.delete(at("rules", given.id))
    return 0


async def _runs(given: Namespace) -> int:
    async with reading(given) as client:
        found = [one async for one in client.items(RuleRun, at("rules", given.id, "runs"))]
    rows = [(str(one.position), f"{one.at:%Y-%m-%d %H:%M}", one.task or "", _problem(one)) for one in found]
    tell_all(given, ("event", "at", "task", "why there is none"), zip(found, rows, strict=True))
    return 0


async def _try(given: Namespace) -> int:
    async with changing(given) as client:
        verdict = await client.post(RuleVerdict, at("rules", given.id, "try"), {"position": given.position})
    tell(verdict.model_dump_json(exclude_none=True))
    return 0


def _when(rule: Rule) -> str:
    told = [str(rule.when.type), *(f"{path} is {value}" for path, value in rule.when.where.items())]
    return ", ".join(told) + ("" if rule.enabled else " (off)")


def _problem(one: RuleRun) -> str:
    return "" if one.problem is None else one.problem.detail


ONE = {"remove": _remove, "runs": _runs, "try": _try}
