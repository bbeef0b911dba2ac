"""Which addresses may be connected to on somebody's word."""

import socket
from ipaddress import ip_network

import pytest
from aiohttp import ClientConnectorError, ClientSession, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from storage.public_addresses import NotPublic, guarded_connector, may_be_reached

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::1",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_an_address_that_is_not_public_is_not_reached_in_any_of_its_forms(address: str) -> None:
    assert not may_be_reached(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_a_public_address_is_reached(address: str) -> None:
    assert may_be_reached(address)


def test_a_network_that_is_allowed_is_reached_in_any_of_its_forms() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/64"))

    reached = ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::7"]
    assert all(may_be_reached(address, allowed=allowed) for address in reached)
    assert not any(may_be_reached(address, allowed=allowed) for address in ("10.2.0.1", "fd00:2::7", "127.0.0.1"))


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_no_spelling_of_a_private_address_in_ipv6_is_reached(address: object) -> None:
    assert not any(may_be_reached(f"{prefix}{address}") for prefix in ("", "::ffff:", "::", "64:ff9b::"))


class Rebinding(AbstractResolver):
    """A name that leads to a public address for whoever looks first, and inside for whoever connects."""

    def __init__(self) -> None:
        self.asked = 0

    @override
    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        address = "93.184.215.14" if self.asked == 1 else "127.0.0.1"
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    @override
    async def close(self) -> None:
        pass


async def answering(_: web.Request) -> web.Response:
    return web.Response(text="inside")


async def test_the_address_that_is_connected_to_is_looked_at_not_the_one_that_was_looked_up_before() -> None:
    app = web.Application()
    app.router.add_get("/", answering)
    async with TestServer(app) as server:
        connector = guarded_connector()
        resolver = Rebinding()
        connector._resolver = resolver
        assert may_be_reached((await resolver.resolve("rebinding.example"))[0]["host"])

        async with ClientSession(connector=connector) as session:
            with pytest.raises(ClientConnectorError) as caught:
                await session.get(f"http://rebinding.example:{server.port}/")

    assert isinstance(caught.value.os_error, NotPublic)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_literal_and_a_name_are_refused_alike_and_let_through_where_allowed(host: str) -> None:
    app = web.Application()
    app.router.add_get("/", answering)
    async with TestServer(app) as server:
        url = f"http://{host}:{server.port}/"
        async with ClientSession(connector=guarded_connector()) as session:
            with pytest.raises(ClientConnectorError):
                await session.get(url)
        async with ClientSession(connector=guarded_connector(LOOPBACK)) as session, session.get(url) as response:
            assert await response.text() == "inside"
