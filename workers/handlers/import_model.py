"""Import a model: a package from elsewhere becomes a model of the project."""

import asyncio

from pydantic import JsonValue

from schemas.errors import Fault, Invalid
from schemas.exchange_parameters import ImportModelParameters
from schemas.models import Model
from schemas.outcomes import ModelRecord, Outcome, TaskResult
from schemas.places import PACKAGE_MEDIA_TYPE
from schemas.projects import Project
from schemas.schema import derived_id
from storage.class_names import names_in
from storage.ports import Blobs, Database
from workers.executors.contract import object_type_number
from workers.executors.trained import stages_of
from workers.foreign_packages import ForeignPackage, read_package
from workers.importing.settings import ImportSettings
from workers.packages import INFO, information, pack
from workers.sources import opened
from workers.work import Work


async def import_model(
    work: Work[ImportModelParameters], *, blobs: Blobs, database: Database, settings: ImportSettings
) -> Outcome:
    """Check a package and keep it in the layout 2.0, whichever it came in; equal content makes equal packages.

    Raise Invalid naming each key of ``ymir-info.yaml`` that breaks a rule, or if the object type is another.
    """
    project = await database.documents(Project).get(work.task.project)
    async with opened(
        work.parameters.source,
        scratch=work.scratch,
        settings=settings,
        progress=lambda fraction, phase: work.progress(0.5 * fraction, phase),
        database=database,
        blobs=blobs,
    ) as folder:
        package = await asyncio.to_thread(read_package, folder)
        _check(package, project)
        model = await _model(package, project, work=work, blobs=blobs)
    warnings = (*package.result.warnings, *await _unknown(model, database))
    summary: dict[str, JsonValue] = {"stages": len(model.stages), "best_stage": model.best_stage}
    return Outcome(records=(ModelRecord(model=model),), result=TaskResult(summary=summary), warnings=warnings)


def _check(package: ForeignPackage, project: Project) -> None:
    if package.object_type is not project.object_type:
        detail = f"The model is for {package.object_type}, the project for {project.object_type}."
        step = "Import it into a project of its object type."
        raise Invalid(detail, step=step, faults=[Fault(detail, f"{INFO}: object_type")])


async def _model(
    package: ForeignPackage, project: Project, *, work: Work[ImportModelParameters], blobs: Blobs
) -> Model:
    info = information(
        package.result,
        config=package.config,
        object_type=object_type_number(project.object_type),
        executor=package.executor,
        preprocess=package.preprocess,
    )
    path = work.scratch / "package.tar.gz"
    work.progress(0.6, "packing")
    await asyncio.to_thread(pack, path, package.result, info)
    return Model(
        id=derived_id("model", work.task.id),
        project=project.id,
        name=work.parameters.model,
        object_type=project.object_type,
        classes=package.classes,
        stages=await asyncio.to_thread(stages_of, package.result),
        best_stage=package.result.best,
        recommended_stage=package.result.best,
        package=await blobs.put_file(path, media_type=PACKAGE_MEDIA_TYPE),
        attachments=tuple(sorted(package.result.attachments)),
        evaluate_config=dict(package.result.evaluation),
        preprocess=package.preprocess,
        executor=package.executor,
        config=package.config,
        task=work.task.id,
        created_at=work.now(),
    )


async def _unknown(model: Model, database: Database) -> tuple[str, ...]:
    known = await names_in(model.project, database)
    unknown = [name for name in model.classes if name not in known]
    return (f"The project does not know these classes of the model: {', '.join(unknown)}.",) if unknown else ()
