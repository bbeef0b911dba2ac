"""Filter: the assets that meet some conditions, whole."""

from schemas.algebra_parameters import Conditions, FilterParameters, Marked
from schemas.errors import Invalid
from schemas.evaluations import Evaluation
from storage.datasets.asset_ids import AssetIds
from storage.datasets.content import Content
from storage.datasets.filter import filtered
from storage.datasets.marks import marked_assets
from workers.steps.step import Applied, Inputs, Tools


async def keep_matching(asked: FilterParameters, inputs: Inputs, tools: Tools) -> Applied:
    """Keep the assets that meet the conditions; raise Invalid for an evaluation of another project."""
    return Applied(await matching_content(inputs["/source"], asked, tools=tools))


async def matching_content(content: Content, conditions: Conditions, *, tools: Tools) -> Content:
    """Return the part of a content that meets some conditions; raise as ``keep_matching`` does."""
    marked = None if conditions.marked is None else await _marked(conditions.marked, tools)
    ids = await tools.library.asset_ids(content)
    return await filtered(content, conditions, ids=ids, library=tools.library, marked=marked)


async def _marked(marked: Marked, tools: Tools) -> AssetIds:
    evaluation = await tools.database.documents(Evaluation).get(marked.evaluation)
    if evaluation.project != tools.project:
        raise Invalid(f"The evaluation {marked.evaluation} is of another project.", step="Name one of this project.")
    return await marked_assets(evaluation.marks.digest, marked.marks, blobs=tools.blobs)
