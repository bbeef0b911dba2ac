"""What of an executor is to be verified, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Executor, Purpose, Templates
from workers.executors.conformance.trial_input import Model


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for."""

    purposes: frozenset[Purpose] = frozenset(Purpose)
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """In the place of the templates' defaults, where a template has them."""
    model: Model = field(default_factory=dict)
    """What mining and inference get where nothing is trained."""
    object_type: ObjectType | None = None
    """What the built-in set is used as; the first that the executor is for, if it is not said."""
    gpus: int = 0
    seconds: float = 600.0
    """How long a run may take."""
    is_quick: bool = False
    """Only one run for each purpose."""

    def type_for(self, executor: Executor) -> ObjectType:
        """Return what the built-in set is used as; raise Invalid if the executor is not for that."""
        wanted = self.object_type or executor.object_types[0]
        if wanted not in executor.object_types:
            raise Invalid(f"The executor is not for {wanted}.", step=f"It is for {', '.join(executor.object_types)}.")
        return wanted

    def config_for(self, templates: Templates, purposes: frozenset[Purpose]) -> dict[str, JsonValue]:
        """Return the parameters for some purposes, without those that only the template of another has."""
        mine = {key for purpose in purposes for key in templates.get(purpose, ())}
        others = {key for template in templates.values() for key in template} - mine
        return {key: value for key, value in self.config.items() if key not in others}
