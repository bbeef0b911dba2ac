"""``mir models``: a package from elsewhere becomes a model."""

from argparse import Namespace
from pathlib import Path

from client.mir.codes import Code, MirError
from client.mir.folders import use_folders
from client.mir.models import lines_of, model_of_task
from client.mir.packages import package_path
from client.mir.repository import open_repository
from client.mir.running import running
from client.mir.sources import source_of
from client.mir.telling import show


async def import_model(given: Namespace) -> None:
    """Import a model package, and print its hash."""
    use_folders(open_repository(given.root), models=given.model_location)
    async with running(given, "import_model") as run:
        if given.package_path.startswith(("http://", "https://")):
            source = {"url": given.package_path}
        else:
            path = Path(given.package_path).expanduser().absolute()
            if not path.exists():
                message = f"there is nothing at {path}"
                raise MirError(Code.INVALID_FILE, message, step="Correct --package-path.")
            source = await source_of(run.session, path)
        task = await run.task({"type": "import_model", "source": source, "model": run.to.branch})
        model = await model_of_task(run.session, task.id)
        if model is not None:
            for line in lines_of(model):
                show(line)
            show(f"package: {await package_path(run.session, model, folder=given.model_location)}")
        run.done(task)
