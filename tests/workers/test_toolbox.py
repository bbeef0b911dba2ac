"""What workers handle, and what the gateway accepts for them."""

from typing import Any, cast

from schemas.task_types import OFFERED, OWN
from workers.toolbox import Toolbox, handlers, what_is_over


class AnyTools:
    """A toolbox that has whatever it is asked for: nothing is used yet."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - that is what it is for
        return name


def test_every_type_that_is_offered_has_a_handler() -> None:
    table = handlers(cast("Toolbox", AnyTools()))

    assert table.keys() == OFFERED | OWN


def test_only_what_is_handled_can_wait() -> None:
    assert what_is_over(cast("Any", AnyTools())).keys() <= OFFERED
