"""What every home for documents, and every store of blobs, does when something is removed on a condition."""

from datetime import timedelta

import pytest

from schemas.errors import Conflict, NotFound
from storage.clock import utc_now
from storage.ports import Blobs, Documents
from tests.contract.things import Thing, a_thing


async def test_the_state_that_is_kept_can_be_removed(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)

    await things.remove(thing.id, was=thing)

    with pytest.raises(NotFound):
        await things.get(thing.id)


async def test_what_changed_since_is_not_removed(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    changed = thing.successor(text="changed")
    await things.replace(changed, was=thing)

    with pytest.raises(Conflict) as caught:
        await things.remove(thing.id, was=thing)

    assert caught.value.key == "generation"
    assert await things.get(thing.id) == changed


async def test_of_two_who_remove_a_state_one_is_told_that_it_was_not_him(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    await things.remove(thing.id, was=thing)

    with pytest.raises(Conflict):
        await things.remove(thing.id, was=thing)


async def test_a_blob_that_is_young_stays(blobs: Blobs) -> None:
    ref = await blobs.put(b"a picture")

    is_gone = await blobs.remove(ref.digest, unless_since=utc_now() - timedelta(hours=1))

    assert not is_gone
    assert await blobs.get(ref.digest) == b"a picture"


async def test_a_blob_that_is_old_goes(blobs: Blobs) -> None:
    ref = await blobs.put(b"a picture")

    is_gone = await blobs.remove(ref.digest, unless_since=utc_now() + timedelta(hours=1))

    assert is_gone
    with pytest.raises(NotFound):
        await blobs.get(ref.digest)


@pytest.mark.parametrize("hours", [None, -1, 1])
async def test_a_blob_that_is_not_there_is_gone(blobs: Blobs, hours: int | None) -> None:
    ref = await blobs.put(b"a picture")
    await blobs.remove(ref.digest)

    since = None if hours is None else utc_now() + timedelta(hours=hours)

    assert await blobs.remove(ref.digest, unless_since=since)
