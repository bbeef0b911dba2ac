"""The rules of the container contract that can be seen from outside, and what was seen of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.conformance import RuleVerdict, Verdict
from schemas.executors import Purpose

DETAILS_TOLD: Final = 100

OF_ALL: Final[Mapping[str, str]] = {
    "templates": "img-man/ has a template for each thing that it can do, at least one.",
    "template-values": "Templates hold one level of keys with plain values.",
    "template-reserved": "Templates leave out the keys that the system sets.",
    "template-known": "export_format and shm_size, where templates have them, are known.",
    "manifest": "manifest.yaml, if there is one, is YAML and names object types that are known.",
    "start": "It is started by start.sh, or by the image's own command.",
    "registers": "It can be registered.",
}
OF_EACH: Final[Mapping[str, str]] = {
    "ends": "It ends by itself, with the exit status 0.",
    "monitor-written": "monitor.txt is written.",
    "monitor-form": "The first line of monitor.txt is task_id, seconds, progress and state, with tabs between.",
    "monitor-bounds": "The progress lies between 0 and 1.",
    "monitor-rises": "The progress never falls.",
    "input-untouched": "Nothing under /in is changed.",
    "output-only": "Nothing is changed or left behind outside of /out, and in there are folders and regular files.",
}
OF_PURPOSE: Final[Mapping[Purpose, Mapping[str, str]]] = {
    Purpose.TRAINING: {
        "result-written": "models/result.yaml is YAML and describes at least one stage.",
        "stage-names": "A stage is named by an identifier, the same under stage_name.",
        "stage-files": "A stage names files that lie in its folder or in models/.",
        "stage-metrics": "Metrics are plain numbers, rates from 0 to 1.",
        "best-named": "best_stage_name names one of the stages.",
        "training-accepted": "The system takes the result.",
    },
    Purpose.MINING: {
        "ranking-written": "result.tsv is written, in UTF-8.",
        "ranking-form": "A line of result.tsv is a path, a tab and a score.",
        "ranking-paths": "Paths are those of the index.",
        "ranking-once": "Each path is there once.",
        "ranking-complete": "All candidates are there.",
        "ranking-scores": "Scores are finite numbers.",
        "ranking-sorted": "Scores never rise from line to line.",
        "embeddings": "embeddings.npy, if it is written, has a row of finite floats for each candidate.",
        "mining-accepted": "The system takes the result.",
    },
    Purpose.INFER: {
        "found-written": "infer-result.json is JSON with an object under detection, or COCO's for segmentation.",
        "found-names": "Images are named by their base names, and are among the candidates.",
        "found-boxes": "Boxes lie inside of their images.",
        "found-classes": "Classes are among class_names.",
        "found-scores": "Scores lie between 0 and 1.",
        "class-scores": "class_scores, if they are written, are a number from 0 to 1 for each of class_names.",
        "infer-accepted": "The system takes the result.",
    },
}
CONDUCT: Final[Mapping[str, str]] = {
    "together": "Mining and inference run together, where it can do both.",
    "protocols": "It runs whichever protocol_version env.yaml names.",
    "without-gpu": "It runs without a GPU.",
    "repeats": "The same again gives the same result.",
    "stops": "Asked to end, it ends within 5 seconds.",
}
TEXTS: Final[Mapping[str, str]] = {
    **OF_ALL,
    **OF_EACH,
    **{rule: text for rules in OF_PURPOSE.values() for rule, text in rules.items()},
    **CONDUCT,
}

Breaches = dict[str, list[str]]
"""Rules that were looked at, each with where it is broken; with an empty list it is kept."""


class Verdicts:
    """Collects what was seen; a rule that is broken once is broken."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Purpose | None, str], tuple[Verdict, list[str]]] = {}

    def take(self, breaches: Breaches, *, purpose: Purpose | None = None) -> None:
        """Take what was looked at."""
        for rule, details in breaches.items():
            _, before = self._seen.get((purpose, rule), (Verdict.KEPT, []))
            found = [*before, *(detail for detail in details if detail not in before)]
            self._seen[purpose, rule] = (Verdict.BROKEN if found else Verdict.KEPT, found)

    def tell(self, rule: str, detail: str, *, purpose: Purpose | None = None) -> None:
        """Take something that is good to know."""
        _, before = self._seen.get((purpose, rule), (Verdict.TOLD, []))
        self._seen[purpose, rule] = (Verdict.TOLD, [*before, detail])

    def skip(self, rules: Sequence[str] | Mapping[str, str], why: str, *, purpose: Purpose | None = None) -> None:
        """Take rules that could not be looked at, unless they were."""
        for rule in rules:
            self._seen.setdefault((purpose, rule), (Verdict.NOT_TRIED, [why]))

    def is_broken(self, rule: str) -> bool:
        """Return whether a rule that holds of an executor as a whole is broken."""
        return self._seen.get((None, rule), (Verdict.NOT_TRIED, []))[0] is Verdict.BROKEN

    def all(self) -> tuple[RuleVerdict, ...]:
        """Return a verdict for every rule, in the order of the lists above."""
        return tuple(self._ordered())

    def _ordered(self) -> Iterator[RuleVerdict]:
        for rule in OF_ALL:
            yield self._verdict(rule, None)
        for purpose, rules in OF_PURPOSE.items():
            for rule in (*OF_EACH, *rules):
                yield self._verdict(rule, purpose)
        for rule in CONDUCT:
            yield self._verdict(rule, None)

    def _verdict(self, rule: str, purpose: Purpose | None) -> RuleVerdict:
        verdict, details = self._seen.get((purpose, rule), (Verdict.NOT_TRIED, []))
        return RuleVerdict(
            rule=rule, text=TEXTS[rule], purpose=purpose, verdict=verdict, details=tuple(details[:DETAILS_TOLD])
        )
