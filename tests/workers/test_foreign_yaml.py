"""YAML from strangers is read, or told what is wrong with it, whatever it refers to."""

import pytest

from workers.foreign_yaml import NotYaml, read_yaml

HUNDREDFOLD = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
MERGED = "m0: &m0 {x: 1}\n" + "".join(
    f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 10)}]}}\n" for level in range(1, 9)
)


def test_a_value_that_is_referred_to_is_there_wherever_it_is() -> None:
    assert read_yaml("names: &names [person, dog]\nclasses: *names\n") == {
        "names": ["person", "dog"],
        "classes": ["person", "dog"],
    }


@pytest.mark.parametrize("nothing", ["", b"", "# only a remark\n"])
def test_a_document_without_content_is_none(nothing: str | bytes) -> None:
    assert read_yaml(nothing) is None


@pytest.mark.parametrize("bomb", [HUNDREDFOLD, MERGED])
def test_references_that_would_fill_the_memory_are_refused(bomb: str) -> None:
    with pytest.raises(NotYaml, match="fill the memory"):
        read_yaml(bomb)


def test_a_long_text_that_is_referred_to_very_often_is_refused() -> None:
    # Given a text of a million letters, a hundred times
    text = f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]\n"

    # Then it counts each time
    with pytest.raises(NotYaml, match="fill the memory"):
        read_yaml(text)


def test_a_value_that_contains_itself_is_refused() -> None:
    with pytest.raises(NotYaml, match="contains itself"):
        read_yaml("a: &a [*a]\n")


@pytest.mark.parametrize(
    "text",
    [
        f"a: {'[' * 100}{']' * 100}\n",
        "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 100)),
    ],
)
def test_what_is_nested_deeper_than_the_stores_keep_is_refused(text: str) -> None:
    with pytest.raises(NotYaml, match="nested too deep"):
        read_yaml(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [1\n", 3), ("a: 1\nb: *nobody\n", 2), ("a: !!python/object:os.system {}\n", 1), (b"a: \xff\n", 1)],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str | bytes, line: int) -> None:
    with pytest.raises(NotYaml) as raised:
        read_yaml(text)

    assert raised.value.line == line


@pytest.mark.parametrize(
    "text", ["a: !!int ''\n", "a: !!bool maybe\n", "a: !!timestamp then\n", "a: 2026-13-45\n", "a: " + "[" * 5_000]
)
def test_a_value_that_cannot_be_made_is_told(text: str) -> None:
    with pytest.raises(NotYaml):
        read_yaml(text)
