"""Class names of a project: which class each of them means."""

from collections.abc import Mapping

from schemas.projects import ClassList
from schemas.schema import Id
from storage.ports import Database

Names = Mapping[str, str]
"""The main name of every class and alias of a project."""


async def names_in(project: Id, database: Database) -> Names:
    """Return the main name of every class and alias of a project."""
    lists = await database.documents(ClassList).get_many([project])
    return lists[0].main_names() if lists else {}
