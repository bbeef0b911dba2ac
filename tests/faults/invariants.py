"""What holds however often everything broke, read from the stores themselves."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from schemas.blobs import BlobRef
from schemas.datasets import Version
from schemas.evaluations import Evaluation
from schemas.events import CloudEvent, EventType, LoggedEvent
from schemas.manifests import Segment
from schemas.models import Model
from schemas.schema import Digest, Document, Id, digest_of
from schemas.task_states import EVENT_OF, FINAL, TaskState
from schemas.tasks import Task
from storage.datasets.library import Library
from storage.datasets.manifests import parse_manifest
from storage.ports import EVERYTHING, Query
from storage.production import Stores

D = TypeVar("D", bound=Document)
ENDS = frozenset(EVENT_OF[state] for state in FINAL)


async def all_of(stores: Stores, kind: type[D], query: Query = EVERYTHING) -> AsyncIterator[D]:
    """Yield every document of a kind."""
    cursor = None
    while True:
        page = await stores.database.documents(kind).list(query, limit=500, cursor=cursor)
        for document in page.items:
            yield document
        if (cursor := page.next) is None:
            return


async def is_quiet(stores: Stores) -> bool:
    """Return whether every task has ended and everybody was told."""
    unfinished = [state for state in TaskState if state not in FINAL]
    tasks = stores.database.documents(Task)
    return not await tasks.count(Query(equal={"state": unfinished})) + await tasks.count(
        Query(equal={"unannounced": True})
    )


async def check_tasks(stores: Stores, accepted: Mapping[Id, TaskState]) -> None:
    """Assert that every accepted task is there and has ended as it had to, and that none is stuck."""
    tasks = {task.id: task async for task in all_of(stores, Task)}
    assert {task: tasks[task].state for task in accepted if task in tasks} == accepted
    assert [task for task in tasks.values() if not task.is_final or task.facts or task.outcome] == []


async def check_records(stores: Stores) -> None:
    """Assert that each task made its version, model or evaluation once, and that each dataset counts 1, 2, 3."""
    ended = [task async for task in all_of(stores, Task) if task.state is TaskState.SUCCEEDED]
    versions = [version async for version in all_of(stores, Version)]
    numbers = defaultdict(list)
    for version in versions:
        numbers[version.dataset].append(version.number)
    for given in numbers.values():
        assert sorted(given) == list(range(1, len(given) + 1))
    made = [(version.task, version.id) for version in versions]
    assert sorted(made) == sorted((task.id, task.result.version) for task in ended if task.result.version)
    models = [(model.task, model.id) async for model in all_of(stores, Model)]
    assert sorted(models) == sorted((task.id, task.result.model) for task in ended if task.result.model)
    evaluations = [evaluation.id async for evaluation in all_of(stores, Evaluation)]
    assert sorted(evaluations) == sorted(task.result.evaluation for task in ended if task.result.evaluation)


async def check_events(stores: Stores, heard: Sequence[CloudEvent]) -> None:
    """Assert that the log has no gap and each end once, and that whoever listened heard the log."""
    logged = sorted([event async for event in all_of(stores, LoggedEvent)], key=lambda event: event.position)
    assert [event.position for event in logged] == list(range(1, len(logged) + 1))
    events = {(event.event.source, event.event.id): event.event for event in logged}
    assert len(events) == len(logged)
    ends = Counter((event.subject, event.type) for event in events.values() if event.type in ENDS)
    assert ends == Counter({(task.id, EVENT_OF[task.state]): 1 async for task in all_of(stores, Task)})
    once = {(event.source, event.id): event for event in heard}
    assert [event for key, event in events.items() if once.get(key) != event] == []
    # A task forgets its progress as soon as there is more of it, whether it came into the log or not.
    assert {event.type for key, event in once.items() if key not in events} <= {EventType.TASK_PROGRESSED}


async def check_blobs(stores: Stores) -> int:
    """Assert that every blob that something names is there and is what it is called; return how many there are."""
    named: set[Digest] = set()
    for kind in (Task, Segment, Model, Evaluation):
        async for document in all_of(stores, kind):
            named |= {ref.digest for ref in _refs(document.model_dump())}
    library = Library(stores.database, stores.blobs)
    async for version in all_of(stores, Version):
        manifest = parse_manifest(await stores.blobs.get(version.manifest.digest))
        roles = [*manifest.images.values(), *(layer.entries for layer in manifest.layers.values())]
        named |= {version.manifest.digest, *(entry.selection for role in roles for entry in role)}
        content = await library.content(version.digest)
        named |= {f"sha256:{row.asset}" async for row in library.rows(content)}
    for digest in sorted(named):
        assert digest_of(await stores.blobs.get(digest)) == digest
    return len(named)


def _refs(value: Any) -> Iterator[BlobRef]:  # noqa: ANN401 - a part of any document
    if isinstance(value, dict):
        if value.keys() == BlobRef.model_fields.keys():
            yield BlobRef.model_validate(value)
        for part in value.values():
            yield from _refs(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _refs(part)
