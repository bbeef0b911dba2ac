"""What of an executor is to be verified, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from schemas.executors import Executor, Purpose
from workers.executors.conformance.trial_input import Model


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for."""

    purposes: frozenset[Purpose] = frozenset(Purpose)
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """In the place of the templates' defaults, where a template has them."""
    model: Model = field(default_factory=dict)
    """What mining and inference get where nothing is trained."""
    gpus: int = 0
    seconds: float = 600.0
    """How long a run may take."""
    is_quick: bool = False
    """Only one run for each purpose."""

    def config_for(self, executor: Executor, purposes: frozenset[Purpose]) -> dict[str, JsonValue]:
        """Return the parameters for some purposes, without those that only the template of another has."""
        mine = {key for purpose in purposes for key in executor.templates.get(purpose, ())}
        others = {key for template in executor.templates.values() for key in template} - mine
        return {key: value for key, value in self.config.items() if key not in others}
