"""The description of the service says what the service does."""

import json

from openapi_pydantic import OpenAPI

from gateway.app import build_app, operations
from gateway.services import Services
from tests.gateway.api import Api


async def test_the_document_is_openapi_3_1(api: Api) -> None:
    api = api.bearing("")

    described = await api.get("/openapi.json")

    assert OpenAPI.model_validate(described).openapi == "3.1.1"
    assert described["info"]["title"] == "YMIR"


async def test_every_route_is_described(api: Api, services: Services) -> None:
    described = await api.get("/openapi.json")

    # What GET answers, HEAD answers without the body, unless it is an operation of its own.
    declared = {(operation.method, operation.path) for operation in operations()}
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in build_app(services).router.routes()
        if route.resource is not None
        if route.method != "HEAD" or ("HEAD", route.resource.canonical) in declared
    }
    assert {(method, path) for path, item in described["paths"].items() for method in item} == routes


async def test_every_operation_has_a_name_of_its_own_and_a_summary(api: Api) -> None:
    described = await api.get("/openapi.json")

    found = [operation for item in described["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in found}) == len(found) == len(operations())
    assert all(" " in operation["summary"] for operation in found)
    assert all("default" in operation["responses"] for operation in found)


async def test_every_reference_leads_somewhere(api: Api) -> None:
    described = await api.get("/openapi.json")

    text = json.dumps(described)
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= set(described["components"]["schemas"])
    assert {"Task", "Problem", "TrainParameters"} <= named


async def test_the_page_needs_nothing_from_elsewhere(api: Api) -> None:
    response = await api.bearing("").raw("GET", "/docs")

    page = await response.text()
    assert "/openapi.json" in page
    assert "://" not in page.replace("http://www.w3.org", "")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
