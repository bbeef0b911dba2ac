"""What a collection removes, and what it never does."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pytest

from schemas.datasets import Dataset, Statistics, Version
from schemas.errors import Invalid, NotFound
from schemas.exchange_parameters import ImportParameters, ImportSource
from schemas.manifests import Segment
from schemas.outcomes import Outcome, Pause, PredictedPictures, TaskResult, VersionDraft
from schemas.schema import Id, new_id
from schemas.splits import Split
from schemas.tasks import Task
from schemas.uploads import Upload
from storage.clock import utc_now
from storage.collection import collect
from storage.collection.marks import Marks
from storage.datasets.content import Content, LayerContent
from tests.factories import NOON, WORKER, a_task
from tests.storage.collection.records import every_kind_of_record
from tests.storage.collection.worlds import World, digests_of


async def test_old_blobs_that_nothing_names_go_and_young_ones_stay(world: World) -> None:
    named = await world.version("pictures", ["a"])
    loose = await world.blobs.put(b"nothing names this")

    at_once = await world.collect(days=0)
    later = await world.collect(days=3)

    assert (at_once.removed.blobs, at_once.young.blobs) == (0, 1)
    assert (later.removed.blobs, later.removed.bytes) == (1, loose.size)
    assert await world.there() == await digests_of(named, world)


async def test_every_blob_that_any_kind_of_record_names_survives(world: World) -> None:
    versions, others = await every_kind_of_record(world)
    before = await world.there()

    found = await world.collect()

    assert found.removed.blobs == 0
    assert await world.there() == before
    for version in versions:
        assert await digests_of(version, world) <= before
    assert {ref.digest for ref in others} <= before


async def test_a_dry_run_removes_nothing_and_says_what_a_run_removes(world: World) -> None:
    await world.version("kept", ["a", "b"])
    hidden = await world.version("gone", ["b", "c"])
    await world.library.statistics(hidden.digest)
    await world.hide(await world.dataset("gone"))
    await world.blobs.put(b"loose")
    before, documents = await world.there(), await counts(world)

    foreseen = await world.collect(dry_run=True)

    assert (await world.there(), await counts(world)) == (before, documents)
    done = await world.collect()
    assert done.removed.blobs == len(before) - len(await world.there()) > 0
    same = {"dry_run", "horizon"}
    assert foreseen.model_dump(exclude=same) == done.model_dump(exclude=same)


async def test_a_second_run_removes_nothing_more(world: World) -> None:
    await world.version("kept", ["a"])
    await world.version("gone", ["b"])
    await world.hide(await world.dataset("gone"))
    await world.blobs.put(b"loose")
    await world.collect()
    before, documents = await world.there(), await counts(world)

    again = await world.collect()

    assert (again.versions, again.datasets, again.segments, again.removed.blobs) == (0, 0, 0, 0)
    assert (await world.there(), await counts(world)) == (before, documents)


async def test_what_was_hidden_within_thirty_days_stays_whole(world: World) -> None:
    version = await world.version("pictures", ["a"])
    before = await world.there()
    await world.hide(version, days=20)

    found = await world.collect()

    assert found.versions == 0
    assert await world.there() == before == await digests_of(version, world)


async def test_of_what_is_hidden_for_longer_only_what_others_share_stays(world: World) -> None:
    stays = await world.version("pictures", ["a", "b"])
    goes = await world.version("pictures", ["b", "c"], number=2)
    await world.library.statistics(goes.digest)
    await world.hide(goes)

    found = await world.collect()

    assert (found.versions, found.datasets, found.segments) == (1, 0, 1)
    with pytest.raises(NotFound):
        await world.database.documents(Version).get(goes.id)
    assert await world.there() == await digests_of(stays, world)
    assert await world.database.documents(Statistics).count() == 0


async def test_images_that_no_version_selects_go_though_their_segment_stays(world: World) -> None:
    whole = await world.content("a", "b")
    (segment,) = whole.segments()
    first = {segment: np.array([True, False])}
    everything = await world.version("all", whole)
    some = await world.version("some", Content({Split.NONE: first}, {"ground_truth": LayerContent(first)}))
    await world.hide(everything)

    await world.collect()

    assert await world.there() == await digests_of(some, world)
    assert len([row async for row in world.library.rows(await world.library.content(some.digest))]) == 1


async def test_a_hidden_dataset_goes_with_its_versions_and_tags_and_its_name_is_free(world: World) -> None:
    await world.version("pictures", ["a"])
    await world.version("pictures", ["b"], number=2)
    await world.hide(await world.dataset("pictures"))

    found = await world.collect()

    assert (found.datasets, found.versions) == (1, 2)
    assert await world.there() == set()
    assert await world.database.documents(Dataset).count() == 0


async def test_blobs_of_a_decided_outcome_survive_before_its_version_is_kept(world: World) -> None:
    kept = await world.library.keep(await world.content("a"))
    report = await world.blobs.put(b"a report")
    draft = VersionDraft(dataset="pictures", digest=kept.digest, manifest=kept.manifest)
    # Begun long after its blobs were written, so that its age is no reason to keep them.
    task = a_task().claimed(by=WORKER, at=utc_now() + timedelta(days=3))
    await world.add(task.decided(Outcome(records=(draft,), report=report), at=utc_now()))
    before = await world.there()

    await world.collect(days=6)

    assert await world.there() == before


async def test_pictures_that_are_in_no_dataset_are_kept_with_what_was_found_for_as_long_as_their_task(
    world: World,
) -> None:
    kept = await world.library.keep(await world.content("a", "b"))
    found = PredictedPictures(manifest=kept.manifest, layer="m@s", pictures=2)
    outcome = Outcome(result=TaskResult(predictions=found))
    task = a_task().claimed(by=WORKER, at=NOON).ended(outcome, at=NOON)
    await world.add(task)
    before = await world.there()

    await world.collect()
    kept_then = await world.there()
    await world.database.documents(Task).remove(task.id)
    await world.collect()

    assert kept_then == before
    assert await world.there() == set()


async def test_work_in_progress_keeps_what_it_may_have_put_since_it_began(world: World) -> None:
    old, put = await world.blobs.put(b"from before"), await world.blobs.put(b"put three days ago")
    world.age(old.digest, days=5)
    await world.running(started_at=utc_now())

    found = await world.collect(days=3)

    assert await world.there() == {put.digest}
    assert (found.removed.blobs, found.young.blobs) == (1, 1)


async def test_a_task_that_waits_for_people_keeps_nothing_but_what_it_names(world: World) -> None:
    archive, loose = await world.blobs.put(b"collected so far"), await world.blobs.put(b"loose")
    pause = Pause(step="collect", waiting_for="answers", result=TaskResult(archive=archive))
    await world.add(a_task().claimed(by=WORKER, at=NOON).paused(pause, at=NOON))

    await world.collect()

    assert await world.there() == {archive.digest}
    assert loose.digest != archive.digest


async def test_an_upload_is_kept_for_as_long_as_its_document(world: World) -> None:
    blob = await world.blobs.put(b"a zip")
    upload = Upload(id=new_id(), name="a.zip", blob=blob, created_by="somebody", created_at=NOON)
    await world.add(upload)
    await world.add(a_task(parameters=ImportParameters(dataset="d", source=ImportSource(upload=upload.id))))

    await world.collect()

    assert await world.there() == {blob.digest}


async def test_nothing_is_removed_if_a_manifest_cannot_be_read(world: World) -> None:
    version = await world.version("pictures", ["a"])
    loose = await world.blobs.put(b"loose")
    await world.blobs.remove(version.digest)

    with pytest.raises(Invalid, match=version.digest) as caught:
        await world.collect()

    assert "back-up" in caught.value.step
    assert loose.digest in await world.there()


async def test_nothing_is_removed_if_a_segment_is_missing(world: World) -> None:
    version = await world.version("pictures", ["a"])
    (segment,) = (await world.library.content(version.digest)).segments()
    await world.database.documents(Segment).remove(segment.removeprefix("sha256:"))
    before = await world.there()

    with pytest.raises(Invalid, match=segment):
        await world.collect()

    assert await world.there() == before


async def test_what_a_version_was_made_of_stays_for_a_task_that_was_asked_for_as_it_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await world.version("pictures", ["a"])
    before = await world.there()
    await world.hide(given)

    class Later(Marks):
        async def documents(self, *, without: frozenset[Id], gone: Mapping[Id, Version]) -> None:
            inputs = ({"pointer": "/source", "ref": "pictures", "version": given.id},)
            await world.add(a_task(inputs=inputs))
            await super().documents(without=without, gone=gone)

    monkeypatch.setattr(collect, "Marks", Later)
    found = await world.collect()

    assert found.versions == 1
    assert await world.there() == before


async def counts(world: World) -> dict[str, int]:
    kinds = (Version, Dataset, Segment, Statistics)
    return {kind.KIND: await world.database.documents(kind).count() for kind in kinds}
