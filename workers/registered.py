"""The registered executors, as outcomes add to them."""

from schemas.errors import Conflict, Invalid
from schemas.executors import Executor
from storage.ports import Database, Query

KNOWN_BY = frozenset({"id", "generation", "name", "runtime", "reference", "created_at"})


async def register_executor(executor: Executor, database: Database) -> None:
    """Register an executor; one of the same name and reference is read anew. Raise Invalid if the name is another's."""
    executors = database.documents(Executor)
    while True:
        try:
            await executors.add(executor)
        except Conflict:
            page = await executors.list(Query(equal={"name": executor.name}), limit=1)
        else:
            return
        for known in page.items:
            if (known.runtime, known.reference) != (executor.runtime, executor.reference):
                message = f"The name {executor.name!r} is taken by the executor {known.reference!r}."
                raise Invalid(message, step="Choose another name, or remove that one first.")
            try:
                changes = {name: getattr(executor, name) for name in set(Executor.model_fields) - KNOWN_BY}
                await executors.replace(known.successor(**changes), was=known)
            except Conflict:
                continue
            return
