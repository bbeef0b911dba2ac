"""How sources and targets are addressed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.mir.codes import Code, MirError
from client.mir.revs import Rev, parse_dst_rev, parse_rev, parse_revs, tag_of, tid_of

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
REVS = st.builds(Rev, NAMES, st.none() | NAMES, st.none() | st.sampled_from(["training", "validation", "test"]))
PREFIXES = {"training": "tr", "validation": "va", "test": "te"}


@pytest.mark.parametrize(
    ("text", "revs"),
    [
        ("a", [Rev("a")]),
        ("a@b", [Rev("a", "b")]),
        ("tr:a@b;va:c", [Rev("a", "b", "training"), Rev("c", None, "validation")]),
        ("  te : a @ b ;; c@d ; ", [Rev("a", "b", "test"), Rev("c", "d")]),
        ("HEAD", [Rev("HEAD")]),
        ("a@", [Rev("a")]),
    ],
)
def test_lists_are_read_with_spaces_and_empty_items_between(text: str, revs: list[Rev]) -> None:
    assert parse_revs(text) == revs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:b:c", "invalid arg: a:b:c"),
        ("a@b@c", "invalid arg: a@b@c"),
        ("xx:a@b", "invalid arg: xx:a@b"),
        (":a", "invalid arg: :a"),
        ("@t", "src or dst rev have no rev: @t"),
        ("tr:@t", "src or dst rev have no rev: tr:@t"),
        ("", "empty src or dst revs"),
        (" ; ;", "empty src or dst revs"),
        (None, "empty src or dst revs"),
    ],
)
def test_what_is_no_rev_is_refused_in_the_words_of_ymir(text: str | None, message: str) -> None:
    with pytest.raises(MirError) as caught:
        parse_revs(text)

    assert caught.value.code is Code.INVALID_ARGS
    assert caught.value.message == message
    assert caught.value.step


def test_a_list_is_refused_where_one_is_wanted() -> None:
    with pytest.raises(MirError, match="src or dst rev not single: a;b"):
        parse_rev("a;b")


@pytest.mark.parametrize("text", ["a", "HEAD@x", "master@x", "tr:a@b", "a b@c", "a@c/d", "a;b@c", "-a@b", ""])
def test_a_target_is_one_branch_and_tid(text: str) -> None:
    with pytest.raises(MirError) as caught:
        parse_dst_rev(text)

    assert caught.value.code is Code.INVALID_ARGS


@given(revs=st.lists(REVS, min_size=1, max_size=5))
def test_a_list_that_is_written_is_read_as_it_was(revs: list[Rev]) -> None:
    text = ";".join(f"{PREFIXES[rev.split]}:{rev}" if rev.split else str(rev) for rev in revs)

    assert parse_revs(text) == revs


@given(text=st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(MirError):  # any other error is a bug
        assert all(rev.branch for rev in parse_revs(text))


@given(tid=NAMES)
def test_a_tid_comes_back_from_its_tag_and_no_tag_is_a_number(tid: str) -> None:
    assert not tag_of(tid).isdecimal()
    if not tid.startswith("tid-"):
        assert tid_of(tag_of(tid)) == tid
