"""Manifests have one canonical form, whose digest is the version's."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from schemas.manifests import Predictions
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent, whole_segment
from storage.datasets.manifests import manifest_bytes, manifest_digest, manifest_of, parse_manifest
from storage.datasets.selections import all_rows

SEGMENT = "sha256:" + "1" * 64


def test_the_canonical_form_has_sorted_keys_and_no_spaces() -> None:
    content = whole_segment(SEGMENT, rows=3, layer=GROUND_TRUTH, split=Split.TEST)

    data = manifest_bytes(manifest_of(content))

    entries = f'[["{SEGMENT}","sha256:ca358758f6d27e6cf45272937977a748fd88391db679ceda7dc7bf1f005ee879"]]'
    layers = f'{{"ground_truth":{{"entries":{entries},"predictions":null}}}}'
    assert data.decode() == f'{{"format":1,"images":{{"test":{entries}}},"layers":{layers}}}'


def test_the_origin_of_predictions_is_part_of_the_digest() -> None:
    masks = {SEGMENT: all_rows(3)}
    origin = Predictions(model=SEGMENT, stage="best", configuration=SEGMENT, classes=("cat", "ant"))

    with_origin, without = (
        manifest_digest(manifest_of(Content(layers={"predicted": LayerContent(masks, predictions)})))
        for predictions in (origin, None)
    )

    assert with_origin != without


def test_a_manifest_comes_back_from_its_bytes() -> None:
    manifest = manifest_of(whole_segment(SEGMENT, rows=3, layer=GROUND_TRUTH))

    assert parse_manifest(manifest_bytes(manifest)) == manifest


def test_a_manifest_of_a_newer_format_is_refused() -> None:
    data = orjson.dumps({"format": 2, "images": {}, "layers": {}, "more": 1})

    with pytest.raises(Invalid, match="format 2") as raised:
        parse_manifest(data)

    assert "release" in raised.value.step


@given(st.binary() | st.just(b"[]") | st.just(b'{"images": {"training": [["x", "y"]]}}'))
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as raised:
        parse_manifest(data)

    assert raised.value.step
