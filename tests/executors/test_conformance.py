"""The conformance kit: an executor that keeps the contract, and one for each way to break it."""

import asyncio
import shutil
from pathlib import Path

import pytest

from schemas.annotations import ObjectType
from schemas.conformance import Conformance, Verdict
from schemas.executors import Purpose
from tests.executors.variants import VARIANTS, Variant
from tests.executors.verifying import SAMPLE, a_variant, broken, verified
from workers.executors.conformance.pictures import COUNT, pictures
from workers.executors.conformance.plans import Plan
from workers.executors.conformance.rules import CONDUCT, OF_ALL, OF_EACH, OF_PURPOSE
from workers.executors.process import ProcessSettings

TRAINING = frozenset({Purpose.TRAINING})
WORKING = "    work = ["

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "model.json"
    path.write_text('{"classes": ["square", "cross"]}')
    return {"given/model.json": path}


def told(found: Conformance, rule: str) -> list[str]:
    return [detail for one in found.verdicts if one.rule == rule for detail in one.details]


async def test_the_sample_keeps_every_rule(tmp_path: Path) -> None:
    found = await verified(a_variant(tmp_path / "whole"), Plan())

    assert broken(found) == {}
    assert found.is_kept
    not_tried = {one.rule for one in found.verdicts if one.verdict is Verdict.NOT_TRIED}
    assert not_tried <= {
        "embeddings",
        "class-scores",
        "stops",
    }  # it writes none, and may have ended before it is stopped
    assert told(found, "repeats") == [f"{purpose}: the same result." for purpose in Purpose]


async def test_every_rule_has_a_verdict_and_each_one_can_be_broken(tmp_path: Path) -> None:
    found = await verified(a_variant(tmp_path / "whole"), Plan(is_quick=True))

    rules = {one.rule for one in found.verdicts}
    assert rules == {*OF_ALL, *OF_EACH, *CONDUCT, *(rule for some in OF_PURPOSE.values() for rule in some)}
    breakable = {rule for variant in VARIANTS.values() for rule in variant.rules}
    assert rules - breakable == {*OF_ALL, *CONDUCT}  # those are broken one by one below


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
async def test_what_breaks_a_rule_is_seen(tmp_path: Path, model: dict[str, Path], variant: Variant) -> None:
    folder = a_variant(tmp_path / "variant", old=variant.old, new=variant.new)

    found = await verified(folder, Plan(purposes=frozenset({variant.purpose}), model=model, is_quick=True))

    assert set(broken(found)) == {f"{variant.purpose}/{rule}" for rule in variant.rules}
    assert all(broken(found).values())  # each says where


@pytest.mark.parametrize(
    ("file", "text", "rules"),
    [
        ("img-man/training-template.yaml", "model: {depth: 3}\n", {"template-values"}),
        ("img-man/training-template.yaml", "gpu_id: '0'\ntask_id: x\n", {"template-reserved"}),
        ("img-man/training-template.yaml", "export_format: yolo:raw\nshm_size: much\n", {"template-known"}),
        ("img-man/training-template.yaml", "a: [\n", {"template-values", "registers"}),
        ("img-man/manifest.yaml", "object_type: 7\n", {"manifest", "registers"}),
        ("img-man/manifest.yaml", "protocol_version: new\n", {"manifest", "registers"}),
        ("img-man/manifest.yaml", "a: [\n", {"manifest", "registers"}),
    ],
)
async def test_what_is_wrong_with_the_manual_is_seen(tmp_path: Path, file: str, text: str, rules: set[str]) -> None:
    folder = a_variant(tmp_path / "variant", extra={file: text})

    found = await verified(folder, Plan(purposes=frozenset(), is_quick=True))

    assert set(broken(found)) == rules


async def test_a_folder_without_templates_or_a_start_is_no_executor(tmp_path: Path) -> None:
    folder = a_variant(tmp_path / "variant")
    shutil.rmtree(folder / "img-man")
    (folder / "start.sh").unlink()

    found = await verified(folder, Plan())

    assert set(broken(found)) == {"templates", "start", "registers"}
    assert found.count(Verdict.NOT_TRIED) == len(found.verdicts) - len(OF_ALL) + 3  # of templates there are none


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("env['run_mining'] and env['run_infer']", "together"),
        ("env.get('protocol_version') != '1.1.0'", "protocols"),
    ],
)
async def test_what_refuses_what_it_must_bear_is_seen(tmp_path: Path, check: str, rule: str) -> None:
    folder = a_variant(tmp_path / "variant", old=WORKING, new=f"    if {check}:\n        return 1\n{WORKING}")

    found = await verified(folder, Plan())

    assert set(broken(found)) == {rule}


async def test_what_needs_a_gpu_is_seen(tmp_path: Path) -> None:
    folder = a_variant(tmp_path / "variant", old="CONTAINER_ERROR = 160004", new="CONTAINER_ERROR = 300102")

    found = await verified(folder, Plan(purposes=TRAINING, config={"trigger_crash": 1}))

    assert set(broken(found)) == {"training/ends", "without-gpu"}
    assert "RuntimeError: trigger_crash asked for this" in broken(found)["training/ends"][-1]


async def test_what_gives_something_else_each_time_is_told(tmp_path: Path, model: dict[str, Path]) -> None:
    folder = a_variant(tmp_path / "variant", old='"w": 30', new='"w": 10 + time.time() % 1')

    found = await verified(folder, Plan(purposes=frozenset({Purpose.INFER}), model=model))

    assert broken(found) == {}
    assert told(found, "repeats") == ["infer: another result."]


async def test_how_fast_it_ends_when_it_is_asked_to_is_told(tmp_path: Path) -> None:
    found = await verified(a_variant(tmp_path / "whole"), Plan(purposes=TRAINING, config={"idle_seconds": 0.8}))

    assert told(found, "stops")[0].startswith("training: it ended after ")


async def test_what_does_not_end_when_it_is_asked_to_is_told(tmp_path: Path) -> None:
    # The fifth run is the one that is stopped: after the first, again, and those of two other protocols.
    deaf = (
        'echo >> "$here/runs"\n'
        'if [ "$(wc -l < "$here/runs")" = 5 ]; then\n'
        "trap '' TERM; printf 'x\\t1\\t0\\t2\\n' > out/monitor.txt; while true; do sleep 1; done\n"
        "fi\n"
    )
    folder = a_variant(tmp_path / "variant", file="start.sh", old="exec ", new=f"{deaf}exec ")

    found = await verified(folder, Plan(purposes=TRAINING), settings=ProcessSettings(poll_seconds=0.05))

    assert told(found, "stops") == ["training: it did not end by itself and was killed."]


async def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    plan = Plan(purposes=TRAINING, config={"idle_seconds": 100}, seconds=0.6, is_quick=True)

    found = await verified(a_variant(tmp_path / "whole"), plan)

    assert broken(found).keys() == {"training/ends"}
    assert broken(found)["training/ends"][0] == "It took longer than it may and was ended."


async def test_a_pipe_in_the_place_of_the_monitor_holds_nobody_up(tmp_path: Path) -> None:
    folder = a_variant(tmp_path / "variant", old="beside.replace(path)", new="path.exists() or os.mkfifo(path)")

    async with asyncio.timeout(30):
        found = await verified(folder, Plan(purposes=TRAINING, is_quick=True))

    assert set(broken(found)) == {"training/monitor-written", "training/output-only"}


async def test_an_executor_for_segmentation_writes_what_coco_has(tmp_path: Path, model: dict[str, Path]) -> None:
    old = 'json.dumps({"detection": found})'
    new = (
        'json.dumps({"images": [{"id": n, "file_name": Path(i).name} for n, i in enumerate(candidates)],'
        ' "categories": [{"id": 1, "name": "square"}], "annotations": [{"image_id": 0, "category_id": 1,'
        ' "confidence": 0.5, "segmentation": [[1, 1, 9, 1, 9, 9]]}]})'
    )
    extra = {
        "img-man/manifest.yaml": "object_type: [2, 4]\n",
        "img-man/instance-seg/infer-template.yaml": "confidence: 0.4\n",
    }
    folder = a_variant(tmp_path / "variant", old=old, new=new, extra=extra)
    plan = Plan(purposes=frozenset({Purpose.INFER}), model=model, object_type=ObjectType.INSTANCE_SEGMENTATION)

    found = await verified(folder, plan)

    assert broken(found) == {}
    assert found.object_type is ObjectType.INSTANCE_SEGMENTATION


async def test_without_a_model_what_failed_says_so(tmp_path: Path) -> None:
    found = await verified(a_variant(tmp_path / "whole"), Plan(purposes=frozenset({Purpose.INFER}), is_quick=True))

    assert "--model" in broken(found)["infer/ends"][-1]


def test_the_built_in_set_is_the_same_every_time() -> None:
    once, again = pictures(), pictures()

    assert [one.data for one in once] == [one.data for one in again]
    assert len({one.row.asset for one in once}) == COUNT
    assert SAMPLE.is_dir()
