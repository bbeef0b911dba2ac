"""The settings of the production profile's stores, and how a process reads its settings."""

import os
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from schemas.errors import Fault, Invalid

S = TypeVar("S", bound=BaseSettings)

PREFIX: Final = "YMIR_"


def _split(folders: object) -> object:
    return tuple(folder for folder in folders.split(os.pathsep) if folder) if isinstance(folders, str) else folders


Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]
"""Folders, in the environment separated as in ``PATH``."""


class StoreSettings(BaseSettings):
    """Where documents, blobs and messages are; the same for the gateway and for every worker of a deployment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, use_attribute_docstrings=True)

    mongo_url: SecretStr
    """MongoDB, a replica set: ``mongodb://user:password@host:port/database?replicaSet=name``."""
    amqp_url: SecretStr
    """RabbitMQ, 3.10 or newer: ``amqp://user:password@host:port/virtual-host``."""
    s3_url: str
    """The bucket of the blobs: ``http://host:port/bucket/prefix``; it is made when it is missing."""
    s3_public_url: str = ""
    """How clients and labeling tools reach the same bucket, if that is another way."""
    s3_access_key: str
    """The name under which the bucket is used."""
    s3_secret_key: SecretStr
    """The secret of that name."""
    s3_region: str = "us-east-1"
    """The region that requests to the bucket are signed for."""
    bus: str = "ymir"
    """What the names of exchanges and queues begin with; two deployments on one broker differ in it."""
    source: str = "urn:ymir"
    """The name of the deployment as the origin of its events."""


def read_settings(kind: type[S]) -> S:
    """Return settings as the environment has them; raise Invalid naming every variable at fault, and no value."""
    prefix = kind.model_config.get("env_prefix", PREFIX)
    try:
        return kind()
    except ValidationError as error:
        faults = [
            Fault(f"{prefix}{'_'.join(map(str, one['loc'][:1])).upper()}: {one['msg']}.") for one in error.errors()
        ]
    except SettingsError as error:
        faults = [Fault(f"{error}.")]
    told = " ".join(fault.detail for fault in faults)
    raise Invalid(f"The settings cannot be used. {told}", step="Set them in the environment.", faults=faults)
