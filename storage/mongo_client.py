"""The one module that imports MongoDB's driver: Motor, or its successor if ``YMIR_MONGO_CLIENT`` is ``pymongo``."""

import os
from inspect import isawaitable
from typing import Any, Final, cast

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, InvalidURI
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from schemas.errors import Invalid

Stored = dict[str, Any]
Client = AsyncMongoClient[Stored]
Collection = AsyncCollection[Stored]

DATABASE: Final = "ymir"
SCHEMES: Final = ("mongodb://", "mongodb+srv://")
UNUSABLE: Final = "YMIR_MONGO_URL cannot be used."
STEP: Final = (
    "give YMIR_MONGO_URL as mongodb://user:password@host:port/database?replicaSet=name, "
    "special characters as %40 and the like"
)
# How long to look for a primary, for a connection, and for an answer on one.
SELECTION_MILLISECONDS: Final = 5_000
ANSWER_MILLISECONDS: Final = 20_000


def connect(url: str) -> Client:
    """Return a client that connects when it is first used; raise Invalid if the URL cannot be one.

    Motor's client is given as its successor's, of which only what both spell and await alike may be used.
    """
    clients = {"motor": AsyncIOMotorClient, "pymongo": AsyncMongoClient}
    name = os.environ.get("YMIR_MONGO_CLIENT", "motor")
    if name not in clients:
        raise Invalid(f"There is no client {name!r} for MongoDB.", step="set YMIR_MONGO_CLIENT to motor or pymongo")
    # The client would take a mere word for the name of a host, and the rest of a password for that of a database.
    if not url.startswith(SCHEMES) or "@" in url.partition("://")[2].partition("/")[2].partition("?")[0]:
        raise Invalid(UNUSABLE, step=STEP)
    try:
        client = clients[name](
            url,
            appname="ymir",
            serverSelectionTimeoutMS=SELECTION_MILLISECONDS,
            connectTimeoutMS=SELECTION_MILLISECONDS,
            waitQueueTimeoutMS=ANSWER_MILLISECONDS,
            socketTimeoutMS=ANSWER_MILLISECONDS,
        )
    except (ConfigurationError, InvalidURI, ValueError):
        # What is wrong is not told: where a special character is, a part of the password may pass for anything else.
        raise Invalid(UNUSABLE, step=STEP) from None
    return cast("Client", client)


def database_of(client: Client) -> AsyncDatabase[Stored]:
    """Return the database that the client's URL names; majorities keep what is written and say what is read."""
    return client.get_default_database(
        DATABASE,
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern("majority", j=True, wtimeout=ANSWER_MILLISECONDS),
        read_preference=ReadPreference.PRIMARY,
    )


async def close(client: Client) -> None:
    """Close all connections; the one call that the two clients await differently."""
    closing: object = client.close()
    if isawaitable(closing):
        await closing
