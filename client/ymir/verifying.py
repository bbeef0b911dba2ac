"""``ymir executor verify``: which rules of the container contract an image or a folder keeps."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from client.loading import uncollected
from client.ymir.ending import FAILED, run, say
from client.ymir.executors import REFERENCE
from client.ymir.telling import table, tell
from client.ymir.values import pair
from schemas.annotations import ObjectType
from schemas.conformance import Conformance, RuleVerdict, Verdict
from schemas.executors import Protocol, Purpose

DETAILS_SHOWN: Final = 5
SECONDS: Final = 600.0


def add_verify(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir executor verify``."""
    parser.add_argument("reference", metavar="IMAGE_OR_FOLDER", help=REFERENCE)
    purposes = [str(purpose) for purpose in Purpose]
    told = "verify only that; may be repeated (all that it has templates for)"
    parser.add_argument("--purpose", choices=purposes, action="append", default=[], help=told)
    told = "a parameter in the place of its template's default; may be repeated"
    parser.add_argument("--config", type=pair, action="append", default=[], metavar="KEY=VALUE", help=told)
    told = "a file of a model, for one that cannot train or is not to; may be repeated"
    parser.add_argument("--model", type=Path, action="append", default=[], metavar="FILE", help=told)
    kinds = [str(kind) for kind in ObjectType]
    told = "what the built-in set is used as (the first that it is for)"
    parser.add_argument("--object-type", choices=kinds, help=told)
    protocols = [str(protocol) for protocol in Protocol]
    parser.add_argument("--protocol", choices=protocols, help="the layout that it is run by; else as its manifest asks")
    parser.add_argument("--gpus", type=int, default=0, metavar="N", help="how many GPUs it gets (0)")
    told = f"how long one run may take ({SECONDS:.0f})"
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help=told)
    parser.add_argument("--quick", action="store_true", help="only one run for each purpose")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the folders of the runs stay")
    parser.add_argument("--json", action="store_true", help="all verdicts as one document on standard output")
    parser.set_defaults(run=lambda given: run(_verify(given)))


async def _verify(given: Namespace) -> int:
    with uncollected():
        from client.verifying import Wanted, verified

    wanted = Wanted(
        purposes=frozenset(map(Purpose, given.purpose)) or frozenset(Purpose),
        config={key: value for one in given.config for key, value in one.items()},
        models=given.model,
        object_type=None if given.object_type is None else ObjectType(given.object_type),
        gpus=given.gpus,
        seconds=given.seconds,
        is_quick=given.quick,
        protocol=None if given.protocol is None else Protocol(given.protocol),
        keep=given.keep,
    )
    found = await verified(given.reference, wanted, tell=say)
    if given.json:
        tell(found.model_dump_json())
    else:
        _show(found)
    return 0 if found.is_kept else FAILED


def _show(found: Conformance) -> None:
    rows = [(_mark(one), str(one.purpose or "all"), one.rule, one.text) for one in found.verdicts]
    table(("", "purpose", "rule", ""), rows)
    for one in found.verdicts:
        if one.verdict in {Verdict.BROKEN, Verdict.TOLD}:
            tell("")
            tell(f"{one.verdict}: {f'{one.purpose}, ' if one.purpose else ''}{one.rule}: {one.text}")
            for detail in one.details[:DETAILS_SHOWN]:
                tell(f"  {detail}")
            if len(one.details) > DETAILS_SHOWN:
                tell(f"  and {len(one.details) - DETAILS_SHOWN} more; --json has them")
    counts = ", ".join(f"{verdict} {found.count(verdict)}" for verdict in Verdict)
    tell("")
    tell(f"{found.reference}: {'keeps the contract' if found.is_kept else 'breaks the contract'}: {counts}")


def _mark(one: RuleVerdict) -> str:
    return one.verdict.upper() if one.verdict is Verdict.BROKEN and sys.stdout.isatty() else str(one.verdict)
