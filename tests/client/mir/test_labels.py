"""The label file: what it says, what is wrong with it, and how classes are appended."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.mir.codes import Code, MirError
from client.mir.label_syncing import write_file
from client.mir.labels import HEADER, Label, read_labels, with_labels

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).map(
    lambda text: text.strip().lower()
)


def labels_csv(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_lines_are_classes_with_aliases_in_lower_case(tmp_path: Path) -> None:
    path = labels_csv(tmp_path, HEADER.strip(), "0,,Person", "", "# tools", "1,, Cat ,kitty, Pussy Cat", "2,,tv,")

    file = read_labels(path)

    assert file.labels == (Label("person"), Label("cat", ("kitty", "pussy cat")), Label("tv"))
    assert file.ignored == ()


def test_a_line_of_two_columns_is_no_class_and_told(tmp_path: Path) -> None:
    file = read_labels(labels_csv(tmp_path, "0,,person", "1,cat"))

    assert file.labels == (Label("person"),)
    assert "line 2: '1,cat' is no class and is ignored" in file.ignored[0]


@pytest.mark.parametrize(
    ("line", "message", "step"),
    [
        ("2,,cat", "line 3: the id '2' is not 1", "this one is 1"),
        ("x,,cat", "line 3: the id 'x' is not 1", "ascend"),
        ("0,,cat", "line 3: the id '0' is not 1", "ascend"),
        ("1,cat,kitty", "line 3: the second column holds 'cat'", "1,,cat,kitty"),
        ("1,,", "line 3: a name is empty", "Write it"),
        ("1,,cat,,kitty", "line 3: a name is empty", "remove the comma"),
        ("1,,Person", "line 3: the name 'person' is on line 2 already", "remove one"),
        ("1,,cat,person", "line 3: the name 'person' is on line 2 already", "remove one"),
        ("1,,cat,cat", "line 3: the name 'cat' is on line 3 already", "remove one"),
    ],
)
def test_a_malformed_line_is_named_with_what_to_do(line: str, message: str, step: str, tmp_path: Path) -> None:
    path = labels_csv(tmp_path, "# head", "0,,person", line)

    with pytest.raises(MirError) as caught:
        read_labels(path)

    assert caught.value.message == f"{path}, {message}"
    assert step in caught.value.step
    assert caught.value.code is Code.INVALID_FILE


def test_classes_are_appended_and_all_else_stays(tmp_path: Path) -> None:
    path = labels_csv(tmp_path, "# mine", "0,,person", "not a class", "1,,cat")

    text = with_labels(read_labels(path), [Label("dog", ("hound",)), Label("a, b")])

    assert text == '# mine\n0,,person\nnot a class\n1,,cat\n2,,dog,hound\n3,,"a, b"\n'
    write_file(path, text)
    assert read_labels(path).labels[2:] == (Label("dog", ("hound",)), Label("a, b"))


def test_a_last_line_without_an_end_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("0,,person")

    assert with_labels(read_labels(path), [Label("cat")]) == "0,,person\n1,,cat\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(names=st.lists(NAMES.filter(bool), min_size=1, max_size=6, unique=True), suffix=st.sampled_from(["csv", "yaml"]))
def test_any_names_that_are_written_are_read(names: list[str], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels.{suffix}"
    path.unlink(missing_ok=True)
    label = Label(names[0], tuple(names[1:]))

    write_file(path, with_labels(read_labels(path), [label]))

    assert read_labels(path).labels == (label,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.binary(max_size=60), suffix=st.sampled_from(["csv", "yaml"]))
def test_no_bytes_break_the_parser(data: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels.{suffix}"
    path.write_bytes(data)

    with suppress(MirError):  # any other error is a bug
        labels = read_labels(path).labels
        assert len({label.name for label in labels}) == len(labels)


def test_the_later_form_is_read_and_written_too(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("labels:\n- {id: 0, name: Cat, aliases: []}\n- {id: 1, name: tv, aliases: [tvmonitor]}\nmore: 1\n")

    file = read_labels(path)
    write_file(path, with_labels(file, [Label("dog")]))

    assert file.labels == (Label("cat"), Label("tv", ("tvmonitor",)))
    assert read_labels(path).labels == (*file.labels, Label("dog"))
    assert "more: 1" in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: [{id: 1, name: cat}]", "labels[0]: the id 1 is not 0"),
        ("labels: [{id: 0}]", "labels[0]: it has no name"),
        ("labels: [{id: 0, name: cat}, {id: 1, name: dog, aliases: [cat]}]", "the name 'cat' is on labels[0]"),
        ("labels: 3", "it has no list `labels`"),
        ("a: [", "line 1: it is no YAML"),
    ],
)
def test_what_is_wrong_in_the_later_form_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(text)

    with pytest.raises(MirError) as caught:
        read_labels(path)

    assert message in caught.value.message


def test_a_link_stays_and_its_target_is_replaced_in_its_own_folder(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    target = labels_csv(shared, "0,,person")
    link = tmp_path / "labels.csv"
    link.symlink_to(target)
    before = target.stat().st_ino

    write_file(link, with_labels(read_labels(link), [Label("cat")]))

    assert link.is_symlink()
    assert target.read_text() == "0,,person\n1,,cat\n"
    assert target.stat().st_ino != before
    assert sorted(path.name for path in shared.iterdir()) == ["labels.csv"]


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    link = tmp_path / "labels.csv"
    link.symlink_to(tmp_path / "gone.csv")

    with pytest.raises(MirError, match="nothing is there"):
        read_labels(link)


def test_a_file_that_is_not_there_has_no_class(tmp_path: Path) -> None:
    file = read_labels(tmp_path / "labels.csv")

    assert file.labels == ()
    assert with_labels(file, [Label("cat")]) == f"{HEADER}0,,cat\n"
