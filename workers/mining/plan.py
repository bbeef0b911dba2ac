"""The plan of a mining: which strategies choose, and what the executor has to do for them."""

from collections.abc import Collection
from typing import Final, NamedTuple

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.mining import AUTO, EXECUTOR, OF_EXECUTOR, Strategies, weights_of
from schemas.model_parameters import MineParameters
from workers.mining.strategies import Need, checked, needs_of

FEW_BOXES: Final = 5
"""With fewer labeled boxes than so many for each class a model knows too little to say what it would learn from."""
COLD: Final[Strategies] = {"dedup": 1.0, "typiclust": 1.0}
WARM: Final = "two_stage"
COVERING: Final = frozenset({"kcenter", "typiclust", "probcover"})


class Plan(NamedTuple):
    """What is done."""

    strategies: Strategies
    why: str
    """Why these, if nobody named them."""
    needs: frozenset[Need]
    purposes: frozenset[Purpose]
    algorithm: str | None
    """The executor's own algorithm, where one is named."""

    @property
    def covers_labeled(self) -> bool:
        """Whether the strategies have to know where the labeled images lie, too."""
        return Need.FEATURES in self.needs and bool(weights_of(self.strategies).keys() & COVERING)


def planned(
    parameters: MineParameters, *, candidates: int, able: Collection[Purpose], boxes: int, classes: int
) -> Plan:
    """Return what is done; raise Invalid for an unknown strategy, or for one that needs a model where there is none.

    ``able`` is what the executor has templates for, ``boxes`` how many boxes of how many classes are labeled.
    """
    checked(parameters.strategy)
    strategies, why = parameters.strategy, ""
    if strategies == AUTO:
        strategies, why = _chosen(parameters, able=able, boxes=boxes, classes=classes)
    needs = frozenset[Need]() if parameters.top_k >= candidates else needs_of(strategies)
    if parameters.model is None or parameters.executor is None:
        _check_model_free(needs, parameters)
    own = sorted(weights_of(strategies).keys() & set(OF_EXECUTOR))
    algorithm = own[0] if own and own[0] != EXECUTOR else None
    return Plan(strategies, why, needs, _purposes(needs, parameters, able), algorithm)


def _chosen(
    parameters: MineParameters, *, able: Collection[Purpose], boxes: int, classes: int
) -> tuple[Strategies, str]:
    if parameters.model is None or parameters.executor is None:
        return COLD, "there is no model yet"
    if Purpose.INFER not in able:
        return EXECUTOR, "the executor can only mine"
    if boxes < FEW_BOXES * classes:
        return COLD, f"of {classes} classes only {boxes} boxes are labeled"
    return WARM, f"of {classes} classes {boxes} boxes are labeled"


def _check_model_free(needs: frozenset[Need], parameters: MineParameters) -> None:
    lacking = "a model" if parameters.model is None else "an executor"
    wanted = "keep_predictions" if parameters.keep_predictions else "This strategy"
    if needs & {Need.RANKING, Need.OBJECTS} or parameters.keep_predictions:
        raise Invalid(
            f"{wanted} needs {lacking}, and none is named.",
            step="Name a model and an executor; random, dedup, kcenter, typiclust and probcover work without.",
        )


def _purposes(needs: frozenset[Need], parameters: MineParameters, able: Collection[Purpose]) -> frozenset[Purpose]:
    purposes: set[Purpose] = set()
    if parameters.model is None or parameters.executor is None:
        return frozenset()
    if Need.RANKING in needs:
        purposes.add(Purpose.MINING)
    if Need.OBJECTS in needs or parameters.keep_predictions:
        purposes.add(Purpose.INFER)
    if Need.FEATURES in needs and not purposes:
        # Embeddings are written by whatever looks at the candidates.
        purposes.add(Purpose.INFER if Purpose.INFER in able else Purpose.MINING)
    return frozenset(purposes)
