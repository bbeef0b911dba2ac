"""The commands on a repository folder: the forms of both eras, and how they fail."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from client.mir.codes import Code
from tests.client.mir.conftest import Mir
from tests.client.mir.pictures import Box, make_pictures, write_labels

pytestmark = pytest.mark.slow

FILTER_BY = ("filter", "--src-revs", "w@w", "--dst-rev", "x@x")
EMPTY = [
    "",
    "",
    "metadatas.mir: 0 assets, tr: 0, va: 0, te: 0, unknown: 0",
    "annotations.mir: hid: , 0 assets",
    "tasks.mir: hid: ",
]


def test_a_repository_begins_with_an_empty_master(mir: Mir, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()

    assert mir("init").code == 0
    assert mir("branch").lines == ["* master"]
    assert mir("show").lines == EMPTY
    assert mir("status").lines == ["repo: clean"]
    again, inside = mir("init"), mir("init", root=root / ".mir")
    assert (again.code, inside.code) == (Code.INVALID_MIR_REPO, Code.INVALID_MIR_REPO)


def test_an_empty_state_can_be_made_with_it(mir: Mir, tmp_path: Path) -> None:
    assert mir("init", "--root", tmp_path / "repository", "--with-empty-rev", "a@b").code == 0

    assert mir("branch").lines == ["* a", "  master"]
    assert mir("show", "--src-revs", "a@b").lines == [
        *EMPTY[:3],
        "annotations.mir: hid: b, 0 assets",
        "tasks.mir: hid: b",
    ]
    assert mir("sampling", "--src-revs", "a", "--count", 1, "--dst-rev", "c@c").code == Code.INVALID_ARGS


def test_branches_are_made_moved_to_and_removed(mir: Mir, repository: Path) -> None:
    assert mir("checkout", "training").code == 0
    assert mir("checkout", "-b", "mine").code == 0
    assert mir("branch").lines == ["  master", "* mine", "  training", "  val"]
    assert "metadatas.mir: 16 assets" in mir("show").out

    assert mir("branch", "-D", "mine").code == Code.INVALID_BRANCH_OR_TAG
    assert mir("branch", "-D", "master").code == Code.INVALID_BRANCH_OR_TAG
    assert mir("co", "training@import").code == 0
    assert mir("branch", "-D", "mine").code == 0
    assert mir("branch").lines == ["* (at training@import)", "  master", "  training", "  val"]
    assert mir("checkout", "mine").code == Code.INVALID_BRANCH_OR_TAG
    assert repository.exists()


@pytest.mark.usefixtures("repository")
def test_a_branch_that_was_removed_can_be_made_again(mir: Mir) -> None:
    given = ("sampling", "--src-revs", "training", "--dst-rev", "s@s", "--count")
    assert mir(*given, 3).code == 0
    assert mir("checkout", "master").code == 0
    assert mir("branch", "-D", "s").code == 0

    assert mir(*given, 5).code == 0

    assert "metadatas.mir: 5 assets" in mir("show", "--src-revs", "s@s").out
    assert [line.partition(" (")[2].partition(")")[0] for line in mir("log", "--oneline").lines] == [
        "s@s",
        "training@import",
    ]


@pytest.mark.usefixtures("repository")
def test_the_later_label_file_is_used_where_it_is(mir: Mir, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    classes = ["person", "cat", "car", "airplane", "dog"]
    seed = (root / "labels.csv").read_text().splitlines()
    order = [line.split(",")[2] for line in seed if not line.startswith("#")]
    later = [*order, *(name for name in classes if name not in order)]
    (root / ".mir" / "labels.yaml").write_text("labels:\n" + "".join(f"- {{name: {name}}}\n" for name in later))
    given = ("filter", "--src-revs", "training", "-P", "dog", "--dst-rev", "f@f")

    both = mir(*given)
    (root / "labels.csv").unlink()
    one = mir(*given)

    assert both.code == Code.INVALID_ARGS
    assert "there are classes in" in both.err
    assert one.code == 0, one.err


@pytest.mark.usefixtures("repository")
def test_states_are_made_of_states_and_told_in_the_log(mir: Mir) -> None:
    assert mir("merge", "--src-revs", "tr:training;va:val;master", "--dst-rev", "m@m").code == 0
    assert mir("filter", "--src-revs", "m", "-p", "person", "-P", "cat", "--dst-rev", "m@20211028").code == 0
    assert mir("sampling", "--src-revs", "HEAD", "--rate", 1, "--dst-rev", "m@all").code == 0
    assert mir("fuse", "--src-revs", "m@m", "--ex-src-revs", "val", "--count", 3, "--dst-rev", "f@f").code == 0

    filtered, sampled = (mir("show", "--src-revs", f"m@{tid}").lines for tid in ("20211028", "all"))
    assert filtered[3].startswith("annotations.mir: hid: 20211028, ")
    assert filtered[2] == sampled[2]
    assert mir("show").lines[2] == "metadatas.mir: 3 assets, tr: 3, va: 0, te: 0, unknown: 0"
    told = [line.partition(" (")[2].partition(")")[0] for line in mir("log", "--oneline", "--src-revs", "m").lines]
    assert told == ["m@all", "m@20211028", "m@m", "val@import", "training@import"]


def test_images_are_kept_by_the_keywords_that_users_gave_them(mir: Mir, repository: Path, tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "weather", 4, seed=6, names=["cat"], most=1)
    for number, cks in enumerate(("<w>rain</w>", "<w>sun</w>", "<w>sun</w><night>1</night>", "")):
        path = folder / "Annotations" / f"weather-{number:04}.xml"
        path.write_text(path.read_text().replace("<object>", f"<cks>{cks}</cks><object>", 1))
    assert mir("import", "--asset-path", folder, "--anno-type", "det:voc", "--dst-rev", "w@w").code == 0

    kept = {
        arguments: mir("filter", "--src-revs", "w@w", *arguments, "--dst-rev", f"k@{number}")
        for number, arguments in enumerate(
            [("-c", "w"), ("-c", "w:rain; night"), ("-C", "w:sun"), ("-c", "w", "-C", "night", "-p", "cat")], start=10
        )
    }
    counts = [mir("show", "--src-revs", f"k@{number}").lines[2].split()[1] for number in range(10, 14)]

    assert [said.code for said in kept.values()] == [0] * 4
    assert counts == ["3", "2", "2", "2"]
    assert mir("show", "--src-revs", "w@w").lines[1] == "night;w"
    assert "Keywords that its images have: night, w" in mir(*FILTER_BY, "-c", "snow").err
    assert mir("branch").lines == ["* k", "  master", "  training", "  val", "  w"]
    assert repository.exists()


def test_a_conflict_is_part_of_the_history(mir: Mir, repository: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"

    said = mir("merge", "--src-revs", "tr:val;va:val", "--dst-rev", "x@y", "-w", work)

    assert said.code == Code.MERGE_ERROR
    assert said.err.startswith("error 160008: 8 conflicts")
    assert "return code: 160008" in mir("show", "--src-revs", "x@y").out
    assert "merge failed: 160008" in mir("log", "--src-revs", "x").out
    first, _, message = (work / "out" / "monitor.txt").read_text().partition("\n")
    assert [first.split("\t")[0], *first.split("\t")[2:]] == ["y", "0.00", "4", "160008"]
    assert message.startswith("8 conflicts")
    assert len((work / "out" / "log.txt").read_text().splitlines()) >= 8
    assert "Say with -s host or -s guest" in said.err
    assert mir("show").lines[2] == "metadatas.mir: 8 assets, tr: 0, va: 0, te: 0, unknown: 8"
    assert repository.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["merge", "--src-revs", "nope", "--dst-rev", "a@b"], Code.INVALID_BRANCH_OR_TAG, "there is no nope"),
        (["merge", "--src-revs", "val@x", "--dst-rev", "a@b"], Code.INVALID_BRANCH_OR_TAG, "there is no val@x"),
        (["merge", "--src-revs", "training", "--dst-rev", "val@import"], Code.INVALID_BRANCH_OR_TAG, "has a tag"),
        (["merge", "--src-revs", "val", "--dst-rev", "a"], Code.INVALID_ARGS, "have no tid: a"),
        (["merge", "--dst-rev", "a@b"], Code.INVALID_ARGS, "--src-revs"),
        (["merge", "--src-revs", "tr:a"], Code.INVALID_ARGS, "stands in quotes"),
        (["merge", "--src-revs", "val", "--dst-rev", "a@b", "-s", "best"], Code.INVALID_ARGS, "invalid choice"),
        (["filter", "--src-revs", "val", "--dst-rev", "a@b", "-p", "yeti"], Code.INVALID_ARGS, "no class 'yeti'"),
        (["filter", "--src-revs", "val;training", "--dst-rev", "a@b"], Code.INVALID_ARGS, "not single"),
        (["sampling", "--src-revs", "val", "--dst-rev", "a@b", "--rate", "2"], Code.INVALID_ARGS, "--rate"),
        (["show", "--root", "relative"], Code.INVALID_ARGS, "--root relative"),
        (["show", "--root", "/"], Code.INVALID_MIR_REPO, "not a mir repository"),
        (["import", "--dst-rev", "a@b"], Code.INVALID_ARGS, "neither --index-file"),
        (["import", "--index-file", "/nope", "--dst-rev", "a@b"], Code.INVALID_FILE, "nothing at /nope"),
        (
            ["import", "--asset-path", "/", "--dst-rev", "a@b", "--anno-type", "x"],
            Code.INVALID_ARGS,
            "--anno-type x",
        ),
        (["evaluate", "--src-revs", "val", "--dst-rev", "a@b"], Code.NO_ANNOTATIONS, "no predictions"),
        (["models", "--package-path", "/nope", "--dst-rev", "a@b"], Code.INVALID_FILE, "nothing at /nope"),
        (["commit", "-m", "x"], Code.INVALID_ARGS, "nothing to commit"),
        (["reset", "--hard"], Code.INVALID_ARGS, "nothing to reset"),
        (["dance"], Code.INVALID_ARGS, "invalid choice"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_cannot_be_ends_with_a_code_and_what_to_do(arguments: list[str], code: Code, said: str, mir: Mir) -> None:
    ended = mir(*arguments)

    assert ended.code == code
    assert ended.err.startswith(f"error {int(code)}: ")
    assert said in ended.err
    assert "\n  " in ended.err


@pytest.mark.usefixtures("repository")
def test_arguments_that_nobody_knows_are_told_and_the_command_runs(mir: Mir) -> None:
    said = mir("sampling", "--src-revs", "val", "--count", 2, "--dst-rev", "s@s", "--of-another-release", "3")

    assert said.code == 0
    assert "unrecognized arguments: --of-another-release 3" in said.err


def test_no_command_prints_the_help(mir: Mir) -> None:
    said = mir()

    assert said.code == -1
    assert "usage: mir" in said.out


@pytest.mark.usefixtures("repository")
def test_a_model_is_trained_looked_with_and_measured(mir: Mir, config: Path, tmp_path: Path) -> None:
    models, work = tmp_path / "models", tmp_path / "work"
    models.mkdir()
    shared = ("--executor", "tiny-detector", "--model-location", models)
    sources = ("--src-revs", "tr:training;va:val", "-s", "host", "-w", work, "--tensorboard-dir", tmp_path / "events")
    trained = mir("train", *sources, "--dst-rev", "t@t", "--task-config-file", config, *shared)
    assert trained.code == 0, trained.err
    model = next(line for line in trained.lines if line.startswith("model hash: ")).removeprefix("model hash: ")
    assert (models / model).resolve() == models / model[-2:] / model
    assert ("wrote nothing for TensorBoard" in trained.err) != any((tmp_path / "events").rglob("*tfevents*"))
    assert json.loads((work / "in" / "config.yaml").read_text())["iterations"] == 10
    assert (work / "out" / "ymir-executor-out.log").exists()
    assert f"model hash: {model}" in mir("show", "--src-revs", "t@t").lines

    empty = tmp_path / "empty.yaml"
    empty.write_text("{}\n")
    looking = ("--model-hash", f"{model[:10]}@epoch_1", "--task-config-file", empty, *shared)
    found = mir("mining", "--src-revs", "val", "--add-prediction", "--dst-rev", "p@p", *looking)
    assert found.code == 0, found.err
    assert "t@epoch_1: " in mir("show", "--verbose").out
    measured = mir("evaluate", "--src-revs", "p", "--gt-rev", "val", "--dst-rev", "e@e", "--iou-thrs", "0.5:1.0:0.05")
    assert "p t@epoch_1: AP@0.5:0.95 " in measured.out

    index = tmp_path / "some.tsv"
    index.write_text("/nope.jpg\n")
    assert mir("infer", "--index-file", index, "-w", work, *looking).code == Code.INVALID_FILE

    again = mir("models", "--package-path", models / model, "--dst-rev", "m@m", "--model-location", models)
    assert f"model hash: {model}" in again.lines


def test_images_that_are_in_no_branch_are_looked_at(
    mir: Mir, repository: Path, config: Path, pictures: Path, tmp_path: Path
) -> None:
    shared = ("--executor", "tiny-detector", "--task-config-file", config)
    trained = mir("train", "--src-revs", "tr:training;va:val", "--dst-rev", "t@t", *shared)
    model = next(line for line in trained.lines if line.startswith("model hash: ")).removeprefix("model hash: ")
    assert Path(next(line for line in trained.lines if line.startswith("package: ")).removeprefix("package: ")).exists()
    images = sorted((pictures / "val" / "JPEGImages").iterdir())[:3]
    index = tmp_path / "index.tsv"
    index.write_text("".join(f"{path}\n" for path in images))

    said = mir("infer", "--index-file", index, "-w", tmp_path / "work", "--model-hash", model, *shared)

    assert said.code == 0, said.err
    found = json.loads((tmp_path / "work" / "out" / "infer-result.json").read_text())["detection"]
    assert list(found) == [path.name for path in images]
    assert all(set(box) == {"box", "class_name", "score"} for one in found.values() for box in one["boxes"])
    assert mir("branch").lines == ["  master", "* t", "  training", "  val"]
    assert repository.exists()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--executor": "nothing"}, Code.INVALID_ARGS, "Registered: tiny-detector"),
        ({"--executor": "industryessentials/x:1"}, Code.CONTAINER_ERROR, "use one of them with --executor"),
        ({"--src-revs": "tr:val;va:val"}, Code.MERGE_ERROR, "8 assets are in val@1 and in val@1"),
        ({"--src-revs": "va:val"}, Code.EMPTY_TRAIN_SET, "nothing to train on"),
        ({"--src-revs": "tr:val"}, Code.EMPTY_VAL_SET, "nothing to validate on"),
        ({"--model-hash": "0123456789"}, Code.INVALID_MODEL, "no model '0123456789'"),
        ({"--task-config-file": "/nope.yaml"}, Code.INVALID_FILE, "/nope.yaml cannot be read"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_cannot_be_trained_is_told_before_it_starts(
    change: dict[str, str], code: Code, said: str, mir: Mir, config: Path
) -> None:
    arguments = {
        "--src-revs": "tr:training;va:val",
        "--dst-rev": "t@t",
        "--executor": "tiny-detector",
        "--task-config-file": str(config),
    } | change

    ended = mir("train", *(part for pair in arguments.items() for part in pair))

    assert ended.code == code
    assert said in ended.err


@pytest.mark.parametrize(
    ("text", "said"), [("a: 1", "no class_names"), ("class_names: [a, A]", "duplicate"), ("[", "line")]
)
@pytest.mark.usefixtures("repository")
def test_a_configuration_without_its_classes_is_refused(text: str, said: str, mir: Mir, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    ended = mir(
        *("train", "--src-revs", "training", "--dst-rev", "t@t"),
        *("--executor", "tiny-detector", "--task-config-file", path),
    )

    assert ended.code == Code.INVALID_ARGS
    assert said in ended.err


def test_unknown_classes_stop_an_import_are_ignored_or_added(mir: Mir, repository: Path, tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "zoo", 2, seed=5, names=["cat"], most=1)
    for path in (folder / "Annotations").iterdir():
        write_labels(path, [Box("cat", 1, 1, 20, 20), Box("yeti", 30, 30, 50, 50)])
    given = ("import", "--asset-path", folder, "--anno-type", "det:voc", "--dst-rev")

    stopped = mir(*given, "z@1")
    ignored = mir(*given, "z@2", "--ignore-unknown-types")
    added = mir(*given, "z@3", "--unknown-types-strategy", "add")

    assert stopped.code == Code.UNKNOWN_TYPES
    assert "yeti" in stopped.err
    assert "unknown classes: {'yeti': 2}" in ignored.out
    assert mir("show", "--src-revs", "z@2").lines[0] == "cat"
    assert added.code == 0
    assert mir("show", "--src-revs", "z@3").lines[0] == "cat;yeti"
    assert (repository / "labels.csv").read_text().splitlines()[-1] == "4,,yeti"


def test_predictions_come_beside_the_ground_truth(mir: Mir, repository: Path, pictures: Path) -> None:
    labels = pictures / "val" / "Annotations"
    said = mir(
        *("import", "--asset-path", pictures / "val" / "index.tsv", "--gt-dir", labels, "--pred-dir", labels),
        *("--anno-type", "det:voc", "--dst-rev", "both@both"),
    )

    assert said.code == 0, said.err
    shown = mir("show", "--verbose").out
    assert "ground_truth: " in shown
    assert "prediction: " in shown
    assert mir("branch").lines == ["* both", "  master", "  training", "  val"]
    assert repository.exists()


@pytest.mark.usefixtures("repository")
def test_what_is_exported_can_be_imported_again(mir: Mir, tmp_path: Path) -> None:
    for form, type in (("voc", "det:voc"), ("coco", "det:coco")):
        assets, labels = tmp_path / form / "assets", tmp_path / form / "labels"
        written = mir("export", "--src-revs", "val", "--asset-dir", assets, "--gt-dir", labels, "--anno-format", form)
        given = ("import", "--asset-path", assets / "index.tsv", "--gt-dir", labels, "--anno-type", type)
        assert written.lines == [f"8 images in {assets}"]
        assert len((labels / "index.tsv").read_text().splitlines()) == 8
        assert mir(*given, "--dst-rev", f"again@{form}").code == 0
        assert mir("show").lines[:3] == mir("show", "--src-revs", "val").lines[:3]


@pytest.mark.usefixtures("repository")
def test_an_export_needs_a_folder_for_its_annotations(mir: Mir, tmp_path: Path) -> None:
    assert mir("export", "--src-revs", "val", "--asset-dir", tmp_path, "--format", "voc").code == Code.INVALID_ARGS
    lmdb = mir("export", "--src-revs", "val", "--asset-dir", tmp_path, "--asset-format", "lmdb")
    assert "lmdb is not offered" in lmdb.err


def test_a_state_is_copied_to_another_repository_by_name(mir: Mir, repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert mir("init", "--root", other).code == 0
    (other / "labels.csv").write_text("0,,cat\n1,,human,person\n")
    given = ("copy", "--src-root", repository, "--src-revs", "training@import", "--dst-rev")

    stopped = mir(*given, "c@1", root=other)
    ignored = mir(*given, "c@2", "--ignore-unknown-types", root=other)
    plain = mir(*given, "c@3", "--drop-annotations", root=other)

    assert stopped.code == Code.INVALID_MIR_REPO
    assert "airplane, car" in stopped.err
    assert (ignored.code, plain.code) == (0, 0)
    assert mir("show", "--src-revs", "c@2", root=other).lines[0] == "cat;human"
    assert mir("show", "--src-revs", "c@3", root=other).lines[0] == ""
    assert "metadatas.mir: 16 assets" in mir("show", root=other).out


@pytest.mark.usefixtures("repository")
def test_classes_are_neither_renamed_nor_removed(mir: Mir, tmp_path: Path) -> None:
    labels = tmp_path / "repository" / "labels.csv"
    text = labels.read_text()
    given = ("sampling", "--src-revs", "val", "--count", 2, "--dst-rev", "s@s")

    labels.write_text(text.replace("cat", "feline"))
    renamed = mir(*given)
    labels.write_text(text + "nonsense\n" + "7,,dog\n")
    malformed = mir(*given)
    labels.write_text(text.replace("cat", "cat,feline") + "4,,dog\n")
    right = mir(*given)

    assert renamed.code == Code.INVALID_ARGS
    assert "has no longer the classes: cat" in renamed.err
    assert "cat,another name" in renamed.err
    assert malformed.code == Code.INVALID_FILE
    assert f"{labels}, line 7: the id '7' is not 4" in malformed.err
    assert right.code == 0
    assert mir("filter", "--src-revs", "training", "-p", "feline", "--dst-rev", "f@f").code == 0
    assert mir("show").lines[0].split(";").count("cat") == 1


def test_repositories_share_a_label_file_through_a_link(mir: Mir, repository: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.csv"
    shutil.move(repository / "labels.csv", shared)
    (repository / "labels.csv").symlink_to(shared)
    other = tmp_path / "other"
    assert mir("init", "--root", other, "--user-label-file", shared).code == 0
    folder = make_pictures(tmp_path / "zoo", 2, seed=5, names=["cat"], most=1)
    for path in (folder / "Annotations").iterdir():
        write_labels(path, [Box("yeti", 30, 30, 50, 50)])

    given = ("import", "--asset-path", folder, "--dst-rev", "z@z", "--unknown-types-strategy", "add")
    assert mir(*given).code == 0
    assert shared.read_text().splitlines()[-1] == "4,,yeti"
    assert (repository / "labels.csv").is_symlink()
    import_there = ("import", "--asset-path", folder, "--dst-rev", "z@z", "--user-label-file", shared)
    assert mir(*import_there, root=other).code == 0


def test_images_lie_in_the_folder_given_and_nowhere_twice(
    mir: Mir, repository: Path, made_repository: Path, pictures: Path
) -> None:
    assets = made_repository.parent / "assets"
    merged = mir("merge", "--src-revs", "training;val", "--dst-rev", "m@m")

    assert merged.code == 0
    kept = {path.name for path in assets.glob("??/*")}
    images = [path.read_bytes() for path in pictures.glob("*/JPEGImages/*.jpg")]
    assert len(images) == 16 + 8
    assert {sha256(image).hexdigest() for image in images} <= kept
    assert not [path for path in (repository / ".mir" / "blobs").glob("??/*") if path.read_bytes() in images]


@pytest.mark.usefixtures("repository")
def test_a_folder_of_images_that_has_gone_is_told(mir: Mir, tmp_path: Path) -> None:
    assets = tmp_path / "gone"
    assets.mkdir()
    first, second = (make_pictures(tmp_path / name, 2, seed=seed) for name, seed in (("first", 7), ("second", 8)))
    given = ("import", "--asset-path", first, "--gen-dir", assets, "--dst-rev")
    assert mir(*given, "v@1").code == 0
    assets.rename(tmp_path / "moved")

    imported = mir("import", "--asset-path", second, "--dst-rev", "v@2")
    exported = mir("export", "--src-revs", "v@1", "--asset-dir", tmp_path / "out")

    for said in (imported, exported):
        assert said.code != 0
        assert str(assets) in said.err
    assert not assets.exists()
