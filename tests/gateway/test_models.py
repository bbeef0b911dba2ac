"""Models over HTTP: what they are, where they come from, their files, and what needs them."""

import io
import tarfile

import pytest

from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.models import Model
from schemas.outcomes import Outcome, TaskResult
from schemas.problems import Problem
from schemas.tasks import Input
from schemas.training_logs import ScalarSeries, ScalarTable, TrainingLogs
from tests.factories import NOON, WORKER, a_task
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World

MODELS = f"/v1/projects/{PROJECT}/models"


async def test_models_are_listed_changed_hidden_and_shown_again(api: Api, world: World) -> None:
    model = await world.model()
    path = f"{MODELS}/{model.id}"

    changed = await api.patch(path, {"recommended_stage": "last", "description": "the first"})
    listed = await api.get(f"{MODELS}?name=detector")
    await api.call("DELETE", path, expect=200)
    await api.get(path, expect=404)
    hidden = await api.get(MODELS)
    await api.patch(path, {"removed": False})

    assert (changed["recommended_stage"], changed["description"]) == ("last", "the first")
    assert [found["id"] for found in listed["items"]] == [model.id]
    assert (hidden["items"], (await api.get(path))["id"]) == ([], model.id)


async def test_a_stage_that_a_model_lacks_cannot_be_recommended(api: Api, world: World) -> None:
    model = await world.model()

    problem = await api.patch(f"{MODELS}/{model.id}", {"recommended_stage": "worst"}, expect=422)

    assert problem["errors"][0]["pointer"] == "/recommended_stage"
    assert "best, last" in problem["step"]


async def test_a_package_is_sent_as_a_file(api: Api, world: World) -> None:
    model = await world.model()

    headers = {"Authorization": f"Bearer {api.secret}"}
    response = await api.client.get(f"{MODELS}/{model.id}/package", headers=headers)

    assert await response.read() == b"a package"
    assert "detector-" in response.headers["Content-Disposition"]


def a_package(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


async def a_packed_model(world: World, data: bytes) -> Model:
    package = await world.services.blobs.put(data, media_type="application/gzip")
    return await world.model(package=package, attachments=("attachments/curves/loss.csv",))


FILES = {"best/weights": b"the best", "last/weights": b"the last", "attachments/curves/loss.csv": b"1,2"}


async def test_each_file_of_a_model_is_sent_alone(api: Api, world: World) -> None:
    model = await a_packed_model(world, a_package(FILES))

    sent = {}
    for path in FILES:
        response = await api.raw("GET", f"{MODELS}/{model.id}/file?path={path}")
        sent[path] = await response.read()

    assert sent == FILES


async def test_a_part_of_a_file_of_a_model_is_sent(api: Api, world: World) -> None:
    model = await a_packed_model(world, a_package(FILES))
    address = f"{MODELS}/{model.id}/file?path=best/weights"

    whole = await api.raw("GET", address)
    part = await api.raw("GET", address, headers={"Range": "bytes=4-7", "If-Range": whole.headers["ETag"]})
    again = await api.raw("GET", address, headers={"If-None-Match": whole.headers["ETag"]})

    assert (part.status, part.headers["Content-Range"], await part.read()) == (206, "bytes 4-7/8", b"best")
    assert again.status == 304


@pytest.mark.parametrize("path", ["best/other", "../best/weights", "/etc/passwd", "ymir-info.yaml", "best"])
async def test_a_file_that_a_model_lacks_is_not_found(api: Api, world: World, path: str) -> None:
    model = await a_packed_model(world, a_package(FILES))

    problem = await api.get(f"{MODELS}/{model.id}/file?path={path}", expect=404)

    assert "<stage>/<file>" in problem["step"]


@pytest.mark.parametrize(
    "package", [b"no package", a_package({}), a_package(FILES)[:100]], ids=["text", "empty", "cut off"]
)
async def test_a_package_that_is_damaged_is_told(api: Api, world: World, package: bytes) -> None:
    model = await a_packed_model(world, package)

    problem = await api.get(f"{MODELS}/{model.id}/file?path=last/weights", expect=422)

    assert "package of the model" in problem["detail"]


async def logged(world: World, count: int = 5) -> TrainingLogs:
    series = ScalarSeries(
        steps=tuple(range(count)), wall_times=(1.5,) * count, values=(None, *(float(n) for n in range(1, count)))
    )
    table = ScalarTable(tags={"loss": series, "rate": series})
    return TrainingLogs(
        events=await world.services.blobs.put(b"a tar"),
        scalars=await world.services.blobs.put(table.model_dump_json().encode()),
        tags=2,
    )


async def test_scalars_of_a_training_are_told_by_tag(api: Api, world: World) -> None:
    model = await world.model(logs=await logged(world))

    told = await api.get(f"{MODELS}/{model.id}/scalars?tag=loss&points=3")
    everything = await api.get(f"{MODELS}/{model.id}/scalars")

    assert told == {
        "tags": ["loss", "rate"],
        "series": {"loss": [{"step": n, "wall_time": 1.5, "value": float(n) or None} for n in (0, 2, 4)]},
        "thinned": ["loss"],
    }
    assert [len(points) for points in everything["series"].values()] == [5, 5]
    assert everything["thinned"] == []


async def test_scalars_of_a_failed_training_are_those_of_its_task(api: Api, world: World) -> None:
    outcome = Outcome(problem=Problem.of(Invalid("It broke."), status=422), result=TaskResult(logs=await logged(world)))
    task = a_task(project=world.project.id).claimed(by=WORKER, at=NOON).ended(outcome, at=NOON)
    await world.add(task)

    told = await api.get(f"/v1/tasks/{task.id}/scalars?tag=rate")
    events = await api.raw("GET", f"/v1/tasks/{task.id}/tensorboard")

    assert list(told["series"]) == ["rate"]
    assert await events.read() == b"a tar"


async def test_a_training_without_logs_has_no_scalars(api: Api, world: World) -> None:
    model = await world.model()

    told = await api.get(f"{MODELS}/{model.id}/scalars")
    await api.get(f"{MODELS}/{model.id}/tensorboard", expect=404)

    assert told == {"tags": [], "series": {}, "thinned": []}


async def test_a_tag_that_is_not_there_is_refused_with_those_that_are(api: Api, world: World) -> None:
    model = await world.model(logs=await logged(world))

    problem = await api.get(f"{MODELS}/{model.id}/scalars?tag=los", expect=422)

    assert "loss, rate" in problem["step"]


async def test_a_model_that_is_hidden_tells_what_still_needs_it(api: Api, world: World) -> None:
    model, version = await world.model(), await world.version("found")
    child = await world.model(pretrained={"id": model.id}, name="child")
    infer = {"type": "infer", "dataset": "found", "source": "pool", "executor": "e", "model": {"id": model.id}}
    waiting = a_task(project=world.project.id, parameters=infer)
    inferred = a_task(project=world.project.id, parameters=infer).claimed(by=WORKER, at=NOON)
    inferred = inferred.ended(Outcome(result=TaskResult(version=version.id)), at=NOON)
    await world.add(waiting)
    await world.add(inferred)

    told = await api.call("DELETE", f"{MODELS}/{model.id}", expect=200)
    later = await api.get(f"{MODELS}/{model.id}/references")

    assert [(one["kind"], one["id"]) for one in told["items"]] == [
        ("model", child.id),
        ("version", version.id),
        ("task", waiting.id),
    ]
    assert (told["items"][1]["name"], told["is_cut"], later) == ("found@1", False, told)


async def test_a_version_tells_what_needs_it_when_it_is_hidden_too(api: Api, world: World) -> None:
    version = await world.version()
    child = await world.version("child", shades=(40,), parents=(version.id,))
    given = Input(pointer="/source", ref="pool", version=version.id)
    training = a_task(project=world.project.id, inputs=(given,)).claimed(by=WORKER, at=NOON).ended(Outcome(), at=NOON)
    waiting = a_task(project=world.project.id, inputs=(given,))
    await world.add(training)
    await world.add(waiting)
    model = await world.model(task=training.id)
    job = await world.job(version)
    await api.call("PUT", f"/v1/projects/{PROJECT}/datasets/pool/tags/best", expect=200, json={"version": 1})
    path = f"/v1/projects/{PROJECT}/datasets/pool/versions"
    await api.delete(f"{path}/1")

    told = await api.get(f"{path}/1/references")

    found = {(one["kind"], one["name"]): one["id"] for one in told["items"]}
    assert [kind for kind, _ in found] == ["tag", "version", "model", "labeling", "task"]
    assert found["version", "child@1"] == child.id
    assert found["model", "detector"] == model.id
    assert found["labeling", "api"] == job.id
    assert found["task", waiting.parameters.type] == waiting.id


async def test_of_many_references_the_first_are_told(api: Api, world: World) -> None:
    model = await world.model()
    for _ in range(101):
        await world.model(pretrained={"id": model.id})

    told = await api.get(f"{MODELS}/{model.id}/references")

    assert (len(told["items"]), told["is_cut"]) == (100, True)


async def test_a_lineage_tells_all_that_a_model_was_made_of(api: Api, world: World) -> None:
    learned, measured = await world.version(), await world.version("checks", shades=(40,))
    asked = {
        "type": "train",
        "executor": "tiny-detector",
        "training": [{"ref": "pool@1", "split": "training"}],
        "validation": ["checks"],
        "model": "detector",
        "classes": ["robin"],
    }
    inputs = (
        Input(pointer="/training/0/ref", ref="pool@1", version=learned.id),
        Input(pointer="/validation/0", ref="checks", version=measured.id),
    )
    task = a_task(project=world.project.id, parameters=asked, inputs=inputs)
    await world.add(task)
    model = await world.model(
        task=task.id,
        training=(learned.digest,),
        validation=(measured.digest,),
        config={"seed": 7, "epochs": 3},
        executor_reference="registry/detector:1",
        executor_digest=learned.digest,
        preprocess={"long_side": 640},
        protocol="1.1.0",
    )
    await api.services.database.documents(Version).remove(measured.id)

    lineage = await api.get(f"{MODELS}/{model.id}/lineage")

    assert [
        {name: one[name] for name in ("use", "ref", "split", "digest", "dataset", "number")}
        for one in lineage["learned_from"]
    ] == [
        {
            "use": "training",
            "ref": "pool@1",
            "split": "training",
            "digest": learned.digest,
            "dataset": "pool",
            "number": 1,
        },
        {
            "use": "validation",
            "ref": "checks",
            "split": None,
            "digest": measured.digest,
            "dataset": None,
            "number": None,
        },
    ]
    assert (lineage["seed"], lineage["configuration"]) == (7, {"seed": 7, "epochs": 3})
    assert lineage["executor"] == {
        "name": "tiny-detector",
        "reference": "registry/detector:1",
        "digest": learned.digest,
        "protocol": "1.1.0",
    }
    assert (lineage["task"], lineage["preprocess"]) == (task.id, {"long_side": 640, "enlarge": False})
    assert (lineage["metrics"], lineage["is_cut"]) == ({"best": {}, "last": {}}, False)


async def test_a_lineage_tells_that_a_part_of_the_training_sources_was_validated_on(api: Api, world: World) -> None:
    version = await world.version()
    asked = {"type": "train", "executor": "e", "training": [{"ref": "pool"}], "model": "m", "classes": ["robin"]}
    given = Input(pointer="/training/0/ref", ref="pool", version=version.id)
    task = a_task(project=world.project.id, parameters=asked, inputs=(given,))
    await world.add(task)
    model = await world.model(task=task.id)

    lineage = await api.get(f"{MODELS}/{model.id}/lineage")

    told = [(one["use"], one["split"], one["digest"]) for one in lineage["learned_from"]]
    assert told == [("training", None, version.digest), ("validation", "validation", version.digest)]


async def test_a_lineage_that_is_cut_says_so(api: Api, world: World) -> None:
    model = await world.model()
    for _ in range(102):
        model = await world.model(pretrained={"id": model.id})

    lineage = await api.get(f"{MODELS}/{model.id}/lineage")
    rest = await api.get(f"{MODELS}/{lineage['ancestors'][-1]['id']}/lineage")

    assert (len(lineage["ancestors"]), lineage["is_cut"]) == (100, True)
    assert (len(rest["ancestors"]), rest["is_cut"]) == (2, False)


async def test_a_lineage_leads_to_versions_and_older_models(api: Api, world: World) -> None:
    version = await world.version()
    given = Input(pointer="/training/0/ref", ref="pool", version=version.id)
    task = a_task(project=world.project.id, inputs=(given,))
    await world.add(task)
    oldest = await world.model()
    older = await world.model(pretrained={"id": oldest.id})
    model = await world.model(pretrained={"id": older.id}, task=task.id)

    lineage = await api.get(f"{MODELS}/{model.id}/lineage")

    assert [found["id"] for found in lineage["ancestors"]] == [older.id, oldest.id]
    assert [found["id"] for found in lineage["versions"]] == [version.id]
    assert lineage["inputs"][0]["ref"] == "pool"
