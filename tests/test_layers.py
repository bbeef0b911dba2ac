"""Imports point one way, only the composition roots name an adapter, and the commands start light."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("schemas", "storage", "gateway", "workers", "client")

# What a package may ask of the others, besides itself.
MAY_IMPORT: Final[Mapping[str, frozenset[str]]] = {
    "schemas": frozenset(),
    "storage": frozenset({"schemas"}),
    "gateway": frozenset({"schemas", "storage"}),
    "workers": frozenset({"schemas", "storage"}),
    "client": frozenset({"schemas"}),
}
# The one place that starts gateway and workers in the same process.
EMBEDDED: Final = "client.embedded"
# What runs executors without a service: the conformance kit.
VERIFYING: Final = "client.verifying"
# What works on the stores themselves, with no service between; and what says how that went.
ADMIN: Final = ("client.adopting", "client.admin", "client.data_blobs", "client.summaries")
# What puts the gateway alone on a data folder: commands that only read start no worker.
FOLDER_GATEWAY: Final = ("client.folder_gateway", "client.folder_reading")
# ``storage.production`` opens together what the two production processes share.
ROOTS: Final = frozenset(
    {"gateway.__main__", "workers.__main__", "storage.production", EMBEDDED, *FOLDER_GATEWAY, "client.admin"}
    | {"client.adopting", "client.data_blobs"}
)

ADAPTERS: Final = ("sqlite", "folder", "local_bus", "mongo", "s3", "rabbitmq")
HEAVY: Final = (
    *("aiohttp", "asyncio", "faster_coco_eval", "numpy", "PIL", "pyarrow", "pydantic", "rich", "sklearn", "structlog"),
    *("schemas.tasks", "storage.ports"),
)


class Import(NamedTuple):
    """That one module of ours asks for another, and the line that says so."""

    importer: str
    imported: str
    place: str


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module of the five packages."""
    for path in chain.from_iterable((ROOT / package).rglob("*.py") for package in PACKAGES):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported_names(node: ast.AST) -> Iterator[str]:
    """Yield each name that a statement imports: of ``from a import b`` both ``a.b`` and, by its beginning, ``a``."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield from (f"{module}.{alias.name}" for alias in names)


def our_imports() -> list[Import]:
    """Return every import of ours by ours, wherever it stands: lazy ones and those for types too."""
    return [
        Import(importer, imported, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} imports {imported}")
        for importer, path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        for imported in imported_names(node)
        if package_of(imported) in PACKAGES
    ]


def package_of(module: str) -> str:
    return module.partition(".")[0]


def adapter_of(module: str) -> str | None:
    """Return which adapter a module belongs to: ``storage.sqlite`` and ``storage.sqlite_rows`` to ``sqlite``."""
    match module.split("."):
        case ["storage", name, *_]:
            return next((adapter for adapter in ADAPTERS if name == adapter or name.startswith(f"{adapter}_")), None)
    return None


def may_import(importer: str, imported: str) -> bool:
    package, other = package_of(importer), package_of(imported)
    if importer in ADMIN and other == "storage":
        return True
    if importer in FOLDER_GATEWAY and other in {"gateway", "storage"}:
        return True
    if importer == VERIFYING and other == "workers":
        return True
    return importer == EMBEDDED or other == package or other in MAY_IMPORT[package]


def may_name_an_adapter(importer: str, imported: str) -> bool:
    return importer in ROOTS or adapter_of(importer) == adapter_of(imported)


def test_imports_point_one_way() -> None:
    wrong = [found.place for found in our_imports() if not may_import(found.importer, found.imported)]

    assert wrong == []


def test_only_the_composition_roots_name_an_adapter() -> None:
    wrong = [
        found.place
        for found in our_imports()
        if adapter_of(found.imported) and not may_name_an_adapter(found.importer, found.imported)
    ]

    assert wrong == []


def test_every_import_is_absolute() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for _, path in modules()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_the_reference_executor_knows_nothing_of_the_service() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {imported}"
        for path in (ROOT / "deploy").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        for imported in imported_names(node)
        if package_of(imported) in PACKAGES
    ]

    assert wrong == []


@pytest.mark.skipif(not (ROOT / "client" / "commands.py").exists(), reason="there is no client/commands.py yet")
def test_the_commands_load_nothing_heavy_until_they_need_it() -> None:
    assert loaded_by("client.commands") & set(HEAVY) == set()


def test_a_command_that_asks_a_service_loads_nothing_of_one() -> None:
    asking = ("client.http", "client.reach", "client.ymir.tasks", "client.ymir.lists", "client.ymir.versions")

    loaded = loaded_by(*asking)

    assert {"client.http", "aiohttp"} <= loaded
    heavy = {"gateway", "workers", "storage", "numpy", "pyarrow", "rich", "structlog"}
    assert {package_of(name) for name in loaded} & heavy == set()


def test_a_command_that_reads_a_folder_loads_neither_http_nor_columns() -> None:
    loaded = loaded_by("client.folder_reading", "client.ymir.versions")

    assert {package_of(name) for name in loaded} & {"aiohttp", "numpy", "pyarrow", "rich", "structlog"} == set()


def loaded_by(*names: str) -> set[str]:
    """Return all modules that are there once some are imported."""
    program = f"import sys, {', '.join(names)}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("schemas.tasks", "schemas.schema.Schema", True),
        ("schemas.tasks", "storage.ports.Documents", False),
        ("storage.ports", "schemas.blobs.BlobRef", True),
        ("storage.ports", "workers.consumer", False),
        ("gateway.app", "storage.ports.Documents", True),
        ("gateway.app", "workers.consumer", False),
        ("workers.consumer", "gateway.app", False),
        ("client.api", "storage.ports", False),
        ("client.demo.__main__", "storage.datasets", False),
        ("client.embedded", "workers.consumer", True),
        ("client.folder_gateway", "gateway.app", True),
        ("client.folder_gateway", "workers.consumer", False),
        ("client.admin", "storage.collection.collect", True),
        ("client.admin", "workers.consumer", False),
        ("client.verifying", "workers.executors.process", True),
        ("client.verifying", "gateway.app", False),
    ],
)
def test_the_rule_itself_tells_right_from_wrong(importer: str, imported: str, *, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("gateway.__main__", "storage.sqlite.SqliteDocuments", True),
        ("client.embedded", "storage.local_bus", True),
        ("storage.sqlite", "storage.sqlite_rows", True),
        ("storage.sqlite", "storage.folder", False),
        ("workers.consumer", "storage.sqlite", False),
        ("gateway.app", "storage.folder.FolderBlobs", False),
    ],
)
def test_the_rule_on_adapters_tells_right_from_wrong(importer: str, imported: str, *, allowed: bool) -> None:
    assert may_name_an_adapter(importer, imported) is allowed
