"""What keeps a hidden version or model from going for good."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from schemas.annotations import GROUND_TRUTH
from schemas.datasets import Dataset, Tag, Version, dataset_id, tag_id
from schemas.errors import Invalid, NotFound
from schemas.evaluations import Evaluation
from schemas.manifests import Predictions
from schemas.model_parameters import ModelStage
from schemas.models import Model
from schemas.outcomes import Outcome, VersionDraft
from schemas.schema import Id, digest_of, new_id
from schemas.tasks import Task
from storage.clock import utc_now
from storage.collection.forgetting import forget
from storage.collection.hidden import doomed
from storage.collection.unfinished import unfinished
from storage.datasets.content import LayerContent
from tests.factories import NOON, PROJECT, WORKER, a_task
from tests.storage.collection.records import a_job, a_model, an_evaluation
from tests.storage.collection.worlds import World, digests_of
from workers.records import keep

Refer = Callable[[World, Version], Awaitable[None]]


async def a_child(world: World, version: Version) -> None:
    await world.version("child", ["child"], parents=(version.id,))


async def a_grandchild_of_a_hidden_child(world: World, version: Version) -> None:
    child = await world.version("child", ["child"], parents=(version.id,))
    await world.hide(child)
    await world.version("grandchild", ["grandchild"], parents=(child.id,))


async def a_tag(world: World, version: Version) -> None:
    identity = tag_id(version.dataset, "best")
    await world.add(Tag(id=identity, project=PROJECT, dataset=version.dataset, name="best", version=version.id))


async def an_open_job(world: World, version: Version) -> None:
    await world.add(*a_job(version))


async def an_unfinished_task(world: World, version: Version) -> None:
    await world.add(a_task(inputs=inputs(version.id)))


async def a_model_trained_on_it(world: World, version: Version) -> None:
    task = ended(a_task(inputs=inputs(version.id)))
    await world.add(task, a_model(await world.blobs.put(b"a package"), task=task.id))


@pytest.mark.parametrize(
    "refer",
    [
        a_child,
        a_grandchild_of_a_hidden_child,
        a_tag,
        an_open_job,
        an_unfinished_task,
        a_model_trained_on_it,
    ],
)
async def test_a_hidden_version_stays_while_something_refers_to_it(world: World, refer: Refer) -> None:
    version = await world.version("pictures", ["a"])
    await world.hide(version)
    await refer(world, version)

    found = await world.collect()

    assert found.versions == 0
    assert found.held >= 1
    assert await digests_of(version, world) <= await world.there()


async def a_hidden_child(world: World, version: Version) -> None:
    await world.hide(await world.version("child", ["child"], parents=(version.id,)))


async def a_closed_job(world: World, version: Version) -> None:
    await world.add(*a_job(version, state="closed"))


async def a_task_that_has_ended(world: World, version: Version) -> None:
    await world.add(ended(a_task(inputs=inputs(version.id))))


async def a_hidden_model(world: World, version: Version) -> None:
    await a_model_trained_on_it(world, version)
    (model,) = (await world.database.documents(Model).list()).items
    await world.hide(model)


@pytest.mark.parametrize("refer", [a_hidden_child, a_closed_job, a_task_that_has_ended, a_hidden_model])
async def test_what_goes_too_or_is_over_keeps_no_version(world: World, refer: Refer) -> None:
    version = await world.version("pictures", ["a"])
    await world.hide(version)
    await refer(world, version)

    found = await world.collect()

    assert found.held == 0
    with pytest.raises(NotFound):
        await world.database.documents(Version).get(version.id)


async def test_a_hidden_model_stays_while_another_was_trained_from_it(world: World) -> None:
    packages = [await world.blobs.put(name) for name in (b"one", b"other")]
    model = a_model(packages[0])
    await world.add(model, a_model(packages[1], pretrained=ModelStage(id=model.id)))
    await world.hide(model)

    found = await world.collect()

    assert (found.models, found.held) == (0, 1)
    assert {package.digest for package in packages} <= await world.there()


async def predicted(world: World, model: Model, name: str) -> Version:
    content = await world.content(name)
    found = content.layers[GROUND_TRUTH]
    origin = Predictions(
        model=model.stages[0].digest, stage="best", configuration=digest_of(b"{}"), classes=model.classes
    )
    return await world.version(name, content.with_layer("detector@best", LayerContent(found.masks, origin)))


async def test_a_hidden_model_stays_while_a_version_has_its_predictions(world: World) -> None:
    model = a_model(await world.blobs.put(b"a package"))
    await world.add(model)
    version = await predicted(world, model, "found")
    await world.hide(model)

    held = await world.collect()
    await world.hide(version)
    gone = await world.collect()

    assert (held.models, held.held) == (0, 1)
    assert (gone.models, gone.versions) == (1, 1)


async def test_a_model_stays_for_a_hidden_version_that_stays_itself(world: World) -> None:
    model = a_model(await world.blobs.put(b"a package"))
    await world.add(model)
    version = await predicted(world, model, "found")
    await world.version("child", ["child"], parents=(version.id,))
    await world.hide(model)
    await world.hide(version)

    found = await world.collect()

    assert (found.models, found.versions, found.held) == (0, 0, 2)


async def test_a_manifest_that_is_lost_ends_the_search_for_predictions_before_anything_goes(world: World) -> None:
    model = a_model(await world.blobs.put(b"a package"))
    await world.add(model)
    version = await world.version("pictures", ["a"])
    await world.hide(model)
    await world.blobs.remove(version.manifest.digest)

    with pytest.raises(Invalid, match="No blob was removed"):
        await world.collect()

    assert await world.database.documents(Model).count() == 1


async def test_a_hidden_model_that_nothing_refers_to_goes_with_its_package(world: World) -> None:
    model = a_model(await world.blobs.put(b"a package"))
    await world.add(model)
    await world.hide(model)

    found = await world.collect()

    assert found.models == 1
    assert await world.there() == set()


async def test_an_evaluation_goes_with_its_version_unless_a_task_is_about_to_read_it(world: World) -> None:
    version = await world.version("pictures", ["a"])
    named = {name: await world.blobs.put(name.encode()) for name in ("table", "marks", "curves", "label_errors")}
    read, idle = an_evaluation(version, named), an_evaluation(version, named)
    await world.add(read, idle)
    marked = {"evaluation": read.id, "marks": ["fp"]}
    await world.add(a_task(parameters={"type": "filter", "dataset": "d", "source": "other", "marked": marked}))
    await world.hide(version)

    found = await world.collect()

    assert (found.versions, found.evaluations) == (1, 1)
    assert [one.id for one in (await world.database.documents(Evaluation).list()).items] == [read.id]
    assert {ref.digest for ref in named.values()} <= await world.there()


async def test_a_number_is_never_given_twice(world: World) -> None:
    await world.version("pictures", ["a"])
    newest = await world.version("pictures", ["b"], number=2)
    await world.hide(newest)
    await world.collect()

    after = await made("pictures", world)

    assert after.number == 3


async def test_a_hidden_dataset_into_which_a_task_is_about_to_write_keeps_its_numbers(world: World) -> None:
    await world.version("few", ["a"])
    await world.hide(await world.dataset("few"))
    await world.add(a_task())

    found = await world.collect()
    after = await made("few", world)

    assert (found.versions, found.datasets) == (1, 0)
    assert (after.number, (await world.dataset("few")).removed_at is None) == (2, False)


async def test_what_is_shown_again_at_the_last_moment_stays(world: World) -> None:
    version, whole = await world.version("pictures", ["a"]), await world.version("whole", ["b"])
    await world.hide(version)
    await world.hide(await world.dataset("whole"))
    in_use = await unfinished(world.database.documents(Task))
    plan = await doomed(world.database, world.blobs, before=utc_now() - timedelta(days=30), in_use=in_use)
    for document in (version, await world.dataset("whole")):
        documents = world.database.documents(type(document))
        was = await documents.get(document.id)
        await documents.replace(was.successor(removed_at=None), was=was)

    gone = await forget(plan, world.database)

    assert set(plan.due.versions) == {version.id, whole.id}
    assert version.id not in gone.versions
    assert gone.datasets == 0
    assert await world.database.documents(Dataset).count() == 2


def inputs(version: Id) -> tuple[dict[str, str], ...]:
    return ({"pointer": "/source", "ref": "pictures", "version": version},)


def ended(task: Task) -> Task:
    return task.claimed(by=WORKER, at=NOON).ended(Outcome(), at=NOON)


async def made(dataset: str, world: World) -> Version:
    """Keep a version as a worker does."""
    kept = await world.library.keep(await world.content("new"))
    task = a_task(id=new_id())
    outcome = Outcome(records=(VersionDraft(dataset=dataset, digest=kept.digest, manifest=kept.manifest),))
    result = (await keep(task, outcome, world.database, at=NOON)).outcome.result
    assert result.version is not None
    version = await world.database.documents(Version).get(result.version)
    assert version.dataset == dataset_id(PROJECT, dataset)
    return version
