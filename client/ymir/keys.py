"""Commands about API keys: who may call, and what they may do."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime, timedelta

from client.api import at
from client.ymir.ending import run
from client.ymir.reaching import add_common, changing, reading
from client.ymir.telling import tell, tell_all
from schemas.keys import KeySubmission, KeyView, NewKey, ProjectRole, Role, Scope


def add_list(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir keys list``."""
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_new(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir keys add``."""
    roles, scopes = ", ".join(Role), ", ".join(Scope)
    parser.add_argument("name", metavar="NAME", help="whose it is, or what for: tasks and logs show it")
    parser.add_argument(
        "--role", choices=[str(role) for role in Role], help="its role in every project and the service"
    )
    told = f"its role in one project ({roles}); may be repeated"
    parser.add_argument(
        "--in", dest="projects", action="append", default=[], type=_project, metavar="PROJECT=ROLE", help=told
    )
    told = f"narrow it to a part of the service ({scopes}); may be repeated"
    parser.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        default=[],
        choices=[str(one) for one in Scope],
        metavar="SCOPE",
        help=told,
    )
    parser.add_argument(
        "--days", type=float, metavar="DAYS", help="after how many days it no longer works (it always does)"
    )
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_add(given)))


def add_remove(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir keys remove``."""
    parser.add_argument("id", metavar="ID", help="as ymir keys list says it")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_remove(given)))


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        found = [key async for key in client.items(KeyView, at("keys"))]
    rows = [(key.id, key.name, _rights(key), ", ".join(key.scopes) or "all", _end(key)) for key in found]
    tell_all(given, ("id", "key", "role", "scopes", "until"), zip(found, rows, strict=True))
    return 0


async def _add(given: Namespace) -> int:
    expires_at = None if given.days is None else datetime.now(UTC) + timedelta(days=given.days)
    submission = KeySubmission.model_construct(
        name=given.name,
        role=given.role and Role(given.role),
        projects=tuple(given.projects),
        scopes=tuple(map(Scope, given.scopes)),
        expires_at=expires_at,
    )
    async with changing(given) as client:
        made = await client.post(NewKey, at("keys"), submission)
    # The secret alone on standard output: a script takes it from there, and it is told this once.
    tell(made.model_dump_json() if given.json else made.secret)
    return 0


async def _remove(given: Namespace) -> int:
    async with changing(given) as client:
        await client.delete(at("keys", given.id))
    return 0


def _project(text: str) -> ProjectRole:
    project, _, role = text.partition("=")
    if role not in set(Role):
        message = f"{text!r} does not say PROJECT=ROLE, with a role of {', '.join(Role)}"
        raise ArgumentTypeError(message)
    return ProjectRole.model_construct(project=project, role=Role(role))


def _rights(key: KeyView) -> str:
    everywhere = [str(key.role)] if key.role else []
    return ", ".join(everywhere + [f"{one.role} in {one.project}" for one in key.projects])


def _end(key: KeyView) -> str:
    return "" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}"
