"""Filter: the assets that meet some conditions become a version."""

from schemas.algebra_parameters import Conditions, FilterParameters, Marked
from schemas.errors import Invalid
from schemas.evaluations import Evaluation
from schemas.outcomes import Outcome
from schemas.schema import Id
from storage.datasets.asset_ids import AssetIds
from storage.datasets.content import Content
from storage.datasets.filter import filtered
from storage.datasets.library import Library
from storage.datasets.marks import marked_assets
from storage.ports import Blobs, Database
from workers.drafts import given, version_of
from workers.work import Work


async def keep_matching(work: Work[FilterParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Make a version of the assets that meet the conditions, whole."""
    source = await given(work.task, "/source", library=library)
    kept = await matching_content(
        source.content, work.parameters, project=work.task.project, library=library, blobs=blobs, database=database
    )
    work.progress(0.7, "keeping the version")
    return await version_of(work.parameters, kept, parents=[source.version], library=library)


async def matching_content(
    content: Content, conditions: Conditions, *, project: Id, library: Library, blobs: Blobs, database: Database
) -> Content:
    """Return the part of a content that meets some conditions; raise Invalid for an evaluation of another project."""
    marked = None
    if conditions.marked is not None:
        marked = await _marked(conditions.marked, project, blobs=blobs, database=database)
    ids = await library.asset_ids(content)
    return await filtered(content, conditions, ids=ids, library=library, marked=marked)


async def _marked(marked: Marked, project: Id, *, blobs: Blobs, database: Database) -> AssetIds:
    evaluation = await database.documents(Evaluation).get(marked.evaluation)
    if evaluation.project != project:
        raise Invalid(f"The evaluation {marked.evaluation} is of another project.", step="Name one of this project.")
    return await marked_assets(evaluation.marks.digest, marked.marks, blobs=blobs)
