"""Large JSON documents read piece by piece."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from workers.formats.json_stream import Element, JsonDocument

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def elements(folder: Path, data: bytes, *keys: str) -> list[Element]:
    (folder / "a.json").write_bytes(data)
    document = JsonDocument(folder / "a.json", name="a.json")
    found = list(document.elements(*keys))
    assert [document.value(one.start, one.end) for one in found] == [one.value for one in found]
    return found


@given(
    st.dictionaries(st.sampled_from("abcd"), values | st.lists(values)), st.sampled_from([None, orjson.OPT_INDENT_2])
)
def test_every_element_of_the_lists_asked_for_comes_once(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any], option: int | None
) -> None:
    folder = tmp_path_factory.mktemp("json")

    found = elements(folder, orjson.dumps(document, option=option), "a", "b")

    lists: dict[str, Any] = {key: [] for key in document if key in "ab" and isinstance(document[key], list)}
    for element in found:
        if element.position >= 0:
            assert len(lists[element.key]) == element.position
            lists[element.key].append(element.value)
        else:
            lists[element.key] = element.value
    assert lists == document


def test_values_larger_than_a_window_are_read(tmp_path: Path) -> None:
    value = {"text": "}" * 300_000, "numbers": list(range(50_000))}

    (first, second) = elements(tmp_path, orjson.dumps({"a": [value, "x" * 500_000]}), "a")

    assert first.value == value
    assert second.value == "x" * 500_000


@pytest.mark.parametrize(
    ("data", "line", "detail"),
    [
        (b"", 1, "it is empty"),
        (b"[]", 1, "'{' is expected"),
        (b'{"a": [1,\n2', 2, "',' is expected"),
        (b'{"a": [{"b": 1},\n{"b": ]}', 2, "Expecting value"),
        (b'{"a": [NaN]}', 1, "NaN is no number in JSON"),
        (b'{"a": [\n' + b"1" * 5_000, 2, "integer"),
        (b'{"a":\n [{"b": [Infinity]}]}', 2, "Infinity is no number in JSON"),
        (b'{"a": 1}\n\nx', 3, "there is more after the end"),
        (b'{"a" 1}', 1, "':' is expected"),
        (b"{1: 2}", 1, "a key is expected"),
        (b'{"a": "\xff"}', 1, "not usable JSON"),
        (b'{"a": ' + b"[" * 100_000, 1, "recursion"),
        (b'{"b": ' + b'{"a":' * 100_000, 1, "recursion"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(tmp_path: Path, data: bytes, line: int, detail: str) -> None:
    with pytest.raises(Invalid) as caught:
        elements(tmp_path, data, "a")

    (fault,) = caught.value.faults
    assert fault.pointer == f"a.json:{line}"
    assert detail in fault.detail


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        found = elements(tmp_path_factory.mktemp("json"), b'{"a":[' + data, "a")
    except Invalid:
        return

    assert found or data.strip().startswith(b"]")
