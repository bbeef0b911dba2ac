"""Hosts: the machines with GPUs, and which tasks have been given them, for administrators to look at."""

from typing import Final

from aiohttp import web

from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.services import SERVICES
from schemas.hosts import Host
from schemas.pages import Page

routes: Final = Routes("hosts")


@routes.get("/v1/hosts", query=PageQuery, answer=Page[Host])
async def list_hosts(request: web.Request) -> web.Response:
    """List the machines that have GPUs, by name, with the attempts that these are leased to."""
    query = read_query(request, PageQuery)
    hosts = request.app[SERVICES].database.documents(Host)
    return reply(await hosts.list(order="name", limit=page_size(request, query), cursor=query.cursor))
