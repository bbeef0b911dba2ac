"""Reading the repositories of older releases."""

from pathlib import Path
from typing import Any

import pytest

from client.migrate.labels import read_labels
from client.migrate.repository import Repository, sources_of
from schemas.errors import Invalid
from tests.client.migrate.old_repositories import a_repository, git, golden


def test_the_revisions_of_a_repository_come_oldest_first_with_their_tasks(tmp_path: Path) -> None:
    repository = Repository(golden(tmp_path))

    revisions = [repository.revision(name) for name in repository.revisions()]

    assert [(str(revision.name), revision.task.type, revision.task.code) for revision in revisions] == [
        ("train@import", "import", 0),
        ("val@import", "import", 0),
        ("all@merged", "merge", 0),
        ("all@cats", "filter", 0),
        ("all@failed", "type 0", 160001),
    ]
    assert list(sources_of(revisions[2].task)) == ["train@import", "val@import"]
    assert [len(revision.metadatas.attributes) for revision in revisions] == [4, 3, 6, 4, 0]


def test_the_label_file_of_the_repository_is_found(tmp_path: Path) -> None:
    labels = Repository(golden(tmp_path)).labels()

    assert {number: entry.name for number, entry in labels.items()} == {0: "cat", 1: "dog", 2: "tv"}


def test_a_folder_without_git_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no repository of YMIR"):
        Repository(tmp_path)


SIGNED = """tree {tree}
author a <a@b> 1 +0000
committer a <a@b> 1 +0000
gpgsig -----BEGIN PGP SIGNATURE-----
 abc
 -----END PGP SIGNATURE-----

signed
"""


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    # Given a repository that would have git run a program of its own for a signature, and to fetch what is missing
    root, ran, program = a_repository(tmp_path / "repo", {"a@1": {}}), tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    (tmp_path / "commit").write_text(SIGNED.format(tree=git(root, "rev-parse", "a@1^{tree}").strip()))
    commit = git(root, "hash-object", "-t", "commit", "-w", str(tmp_path / "commit")).strip()
    git(root, "tag", "b@1", commit)
    settings = {
        "log.showSignature": "true",
        "gpg.program": str(program),
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(root),
        "remote.origin.promisor": "true",
        "remote.origin.uploadPack": str(program),
    }
    for name, value in settings.items():
        git(root, "config", name, value)
    gone = git(root, "rev-parse", "a@1:metadatas.mir").strip()
    (root / ".git/objects" / gone[:2] / gone[2:]).unlink()

    # When it is read
    names = Repository(root).revisions()
    with pytest.raises(Invalid, match="git cat-file failed"):
        Repository(root).revision(names[-1])

    # Then its program was not run
    assert {str(name) for name in names} == {"a@1", "b@1"}
    assert not ran.exists()


def test_revisions_that_are_made_of_each_other_are_told(tmp_path: Path) -> None:
    def made_of(source: str) -> dict[str, Any]:
        return {"tasks": {"tasks": {"1": {"src_revs": source}}, "head_task_id": "1"}}

    root = a_repository(tmp_path / "repo", {"a@1": made_of("b@1"), "b@1": made_of("a@1")})

    with pytest.raises(Invalid, match="in a circle: "):
        Repository(root).revisions()


def test_a_damaged_file_is_named_with_its_revision(tmp_path: Path) -> None:
    root = a_repository(tmp_path / "repo", {"a@1": {}})
    (root / "tasks.mir").write_bytes(b"\xff\xff\xff")
    git(root, "add", "--all")
    git(root, "commit", "--message", "damaged")
    git(root, "tag", "a@2")
    repository = Repository(root)
    first, second = repository.revisions()

    assert repository.revision(first).task.code == 0
    with pytest.raises(Invalid, match=r"a@2: tasks\.mir is damaged"):
        repository.revision(second)


def test_a_revision_without_its_files_is_told_of(tmp_path: Path) -> None:
    root = a_repository(tmp_path / "repo", {"a@1": {}})
    git(root, "rm", "--quiet", "metadatas.mir")
    git(root, "commit", "--message", "gone")
    git(root, "tag", "a@2")
    repository = Repository(root)

    with pytest.raises(Invalid, match=r"git cat-file failed.*metadatas\.mir"):
        repository.revision(repository.revisions()[-1])


def test_tags_of_other_kinds_are_no_revisions(tmp_path: Path) -> None:
    root = a_repository(tmp_path / "repo", {"a@1": {}})
    git(root, "tag", "v1.0")

    assert [str(name) for name in Repository(root).revisions()] == ["a@1"]


def test_labels_have_numbers_names_and_aliases(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("# comment\n0,,Person\n\n2,,tv,television,TVmonitor\nshort\n")

    labels = read_labels(file)

    assert {number: (entry.name, entry.aliases) for number, entry in labels.items()} == {
        0: ("person", ()),
        2: ("tv", ("television", "tvmonitor")),
    }


@pytest.mark.parametrize(
    ("name", "text", "pointer"),
    [
        ("labels.csv", "0,,cat\nx,,dog\n", "labels.csv:2"),
        ("labels.csv", "0,,a;b\n", "labels.csv:1"),
        ("labels.yaml", "labels: [{name: cat}]", "labels.yaml: labels[0]"),
        ("labels.yaml", "labels: [{id: 0, name: ''}]", "labels.yaml: labels[0]"),
        ("labels.yaml", "labels: [", "labels.yaml"),
        ("labels.yaml", "- 1", "labels.yaml"),
    ],
)
def test_what_is_wrong_in_a_label_file_is_named(tmp_path: Path, name: str, text: str, pointer: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(Invalid) as refused:
        read_labels(tmp_path / name)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_label_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        read_labels(tmp_path / "labels.yaml")
