"""The description of events says what is announced."""

import json

from schemas.event_data import DATA
from schemas.events import EventType
from tests.gateway.api import Api


async def test_every_event_has_its_channel_and_its_message(api: Api) -> None:
    described = await api.bearing("").get("/asyncapi.json")

    announced = {str(kind) for kind in EventType} - {EventType.WEBHOOK_TESTED}
    assert described["asyncapi"] == "3.0.0"
    assert described["channels"].keys() == announced
    assert {channel["address"] for channel in described["channels"].values()} == announced
    assert {one["channel"]["$ref"] for one in described["operations"].values()} == {
        f"#/channels/{k}" for k in announced
    }
    assert all(one["action"] == "send" and one["summary"] for one in described["operations"].values())


async def test_every_reference_leads_somewhere(api: Api) -> None:
    for path in ("/asyncapi.json", "/openapi.json"):
        described = await api.get(path)

        for part in json.dumps(described).split('"$ref": "')[1:]:
            found = described
            for name in part.partition('"')[0].removeprefix("#/").split("/"):
                found = found[name]
            assert isinstance(found, dict), part


async def test_what_is_sent_to_webhooks_is_described_as_well(api: Api) -> None:
    described = await api.get("/openapi.json")

    assert described["webhooks"].keys() == {str(kind) for kind in EventType}
    schemas = described["components"]["schemas"]
    assert schemas["VersionCreatedEvent"]["properties"]["type"]["const"] == EventType.VERSION_CREATED
    assert "dataset" in schemas["VersionCreated"]["properties"]


def test_no_type_of_event_is_without_its_data() -> None:
    assert DATA.keys() == set(EventType)
    assert all(form.__doc__ for form in DATA.values())
