"""Commands that list what there is, and add to it: projects, classes, datasets, models, tasks."""

from argparse import ArgumentParser, Namespace

from client.api import at
from client.ymir.ending import run
from client.ymir.reaching import add_common, changing, project_of, reading
from client.ymir.telling import tell, tell_all
from schemas.annotations import ObjectType
from schemas.datasets import Dataset
from schemas.models import Model
from schemas.projects import ClassBatch, ClassEntry, ClassList, Project, ProjectSubmission
from schemas.task_states import TaskState
from schemas.tasks import Task


def add_projects(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir projects``."""
    parser.add_argument("--add", metavar="NAME", help="make a project")
    kinds = [str(kind) for kind in ObjectType]
    parser.add_argument("--object-type", choices=kinds, default="detection", help="of the one that is made (detection)")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_projects(given)))


def add_classes(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir classes``."""
    told = "add a class, or give it other aliases; may be repeated"
    parser.add_argument("--add", action="append", default=[], metavar="NAME[,ALIAS…]", help=told)
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_classes(given)))


def add_datasets(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir datasets``."""
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_datasets(given)))


def add_models(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir models``."""
    parser.add_argument("--name", help="only those of a line of models")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_models(given)))


def add_tasks(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir tasks``."""
    states = [str(state) for state in TaskState]
    parser.add_argument("--state", choices=states, help="only those in a state")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many, the newest first (20)")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_tasks(given)))


async def _projects(given: Namespace) -> int:
    if given.add is not None:
        async with changing(given) as client:
            submission = ProjectSubmission.model_construct(name=given.add, object_type=ObjectType(given.object_type))
            made = await client.post(Project, at("projects"), submission)
        tell(made.model_dump_json() if given.json else f"project {made.name}: {made.object_type}")
        return 0
    async with reading(given) as client:
        found = [project async for project in client.items(Project, at("projects"))]
    rows = [(project.name, str(project.object_type), project.description) for project in found]
    tell_all(given, ("project", "object type", "description"), zip(found, rows, strict=True))
    return 0


async def _classes(given: Namespace) -> int:
    async with changing(given) if given.add else reading(given) as client:
        path = at("projects", await project_of(client, given), "classes")
        if given.add:
            words = [[word.strip() for word in text.split(",")] for text in given.add]
            entries = [ClassEntry.model_construct(name=name, aliases=tuple(aliases)) for name, *aliases in words]
            classes = await client.post(ClassList, path, ClassBatch.model_construct(classes=tuple(entries)))
        else:
            classes = await client.get(ClassList, path)
    rows = [(str(number), entry.name, ", ".join(entry.aliases)) for number, entry in enumerate(classes.classes)]
    tell_all(given, ("id", "class", "aliases"), zip(classes.classes, rows, strict=True))
    return 0


async def _datasets(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "datasets")
        found = [dataset async for dataset in client.items(Dataset, path)]
    rows = [(dataset.name, f"{dataset.created_at:%Y-%m-%d %H:%M}", dataset.description) for dataset in found]
    tell_all(given, ("dataset", "since", "description"), zip(found, rows, strict=True))
    return 0


async def _models(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "models")
        query = {"name": given.name} if given.name else {}
        found = [model async for model in client.items(Model, path, **query)]
    rows = [(model.id, model.name, model.recommended_stage, _measured(model), _moment(model)) for model in found]
    tell_all(given, ("id", "model", "stage", "measured", "made"), zip(found, rows, strict=True))
    return 0


async def _tasks(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "tasks")
        query = {"state": given.state} if given.state else {}
        found = list[Task]()
        async for task in client.items(Task, path, **query):
            found.append(task)
            if len(found) >= given.limit:
                break
    rows = [(task.id, task.parameters.type, _state(task), _moment(task), _what(task)) for task in found]
    tell_all(given, ("id", "type", "state", "asked for", "made, or what is wrong"), zip(found, rows, strict=True))
    return 0


def _measured(model: Model) -> str:
    stage = model.stage(None)
    return "" if stage is None else ", ".join(f"{name} {value:.3f}" for name, value in stage.metrics.items())


def _moment(document: Model | Task) -> str:
    return f"{document.created_at:%Y-%m-%d %H:%M}"


def _state(task: Task) -> str:
    return f"{task.state} {task.progress.fraction:.0%}" if task.state is TaskState.RUNNING else str(task.state)


def _what(task: Task) -> str:
    if task.problem is not None:
        return task.problem.detail
    result = task.result
    if result.dataset is not None:
        return f"{result.dataset}@{result.number}"
    return result.model or result.evaluation or ""
