"""The stores of the production profile, opened together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from storage.mongo import open_database
from storage.ports import Blobs, Bus, Database
from storage.rabbitmq import open_bus
from storage.s3 import open_blobs
from storage.settings import StoreSettings


class Stores(NamedTuple):
    """Everything that outlives a process."""

    database: Database
    blobs: Blobs
    bus: Bus


@asynccontextmanager
async def open_stores(settings: StoreSettings) -> AsyncIterator[Stores]:
    """Open MongoDB, S3 and RabbitMQ; each is connected to when it is first used, and again when it was away.

    Raise Invalid if an address cannot be one.
    """
    blobs = open_blobs(
        settings.s3_url,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        public_url=settings.s3_public_url,
        region=settings.s3_region,
    )
    bus = open_bus(settings.amqp_url.get_secret_value(), name=settings.bus)
    async with open_database(settings.mongo_url.get_secret_value()) as database, blobs as shelf, bus as carrier:
        yield Stores(database, shelf, carrier)
