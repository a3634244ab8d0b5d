"""What a look at a folder shows, and what it leaves out by name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from knowledge.compare import UNTRUSTED, compare, settling_s, trusted
from knowledge.files import Look, Scan, Stamp, matcher
from knowledge.versions import Known

if TYPE_CHECKING:
    from pathlib import Path

STAMP = Stamp(3, 1, 1)


def look(folder: Path, include: tuple[str, ...] = ("**/*",), exclude: tuple[str, ...] = ()) -> Look:
    return Look(folder, include, exclude)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def known(stamp: Stamp = STAMP, recipe: str = "r", reason: str | None = None, version: int = 1) -> Known:
    return Known(1, version, stamp, b"d", recipe, reason)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("**/*", "a", True),
        ("**/*", "a/b/c.md", True),
        ("*.md", "a.md", True),
        ("*.md", "b/a.md", False),
        ("**/*.md", "b/a.md", True),
        ("./*.md", "a.md", True),
        ("docs/**", "docs/a/b", True),
        ("docs/**", "docs2/a", False),
        ("a?.md", "ab.md", True),
        ("[!a]*.md", "a.md", False),
        ("[ab].md", "b.md", True),
        ("a[.md", "a[.md", True),
        ("a+(b).md", "a+(b).md", True),
        ("*.md", "a.md\n", False),
        ("**/*.{md,txt}", "b/a.md", True),
        ("**/*.{md,txt}", "a.txt", True),
        ("**/*.{md,txt}", "a.pdf", False),
        ("{docs,notes/**}/a*.md", "notes/x/ab.md", True),
        ("{docs,notes/**}/a*.md", "docs/x/ab.md", False),
        ("{,old-}a.md", "old-a.md", True),
        ("{,old-}a.md", "a.md", True),
        ("a{1}.md", "a{1}.md", True),
        ("a{1.md", "a{1.md", True),
        ("a}.md", "a}.md", True),
        ("a{b,c.md", "a{b,c.md", True),
        ("[{,}].md", "{.md", True),
    ],
)
def test_globs(glob: str, name: str, matches: bool) -> None:
    assert bool(matcher([glob]).fullmatch(name)) is matches
    assert not matcher([]).fullmatch(name)


def test_hidden_and_passing_files_are_left_out_and_globs_hold(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "sub/b.txt", ".git/c.md", ".d.md", "e.md~", "~$f.docx", "g.pdf.part", "private/h.md", "sub/i.png")
    found = look(tmp_path, ("**/*.md", "**/*.txt"), ("private/**",)).scan()
    assert set(found.files) == {"a.md", "sub/b.txt"}
    assert found.files["a.md"].size == 4
    assert (found.skipped, found.missing) == ([], None)


def test_files_of_other_kinds_are_counted_not_named(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "B.HTML", "c.jpg", "sub/d.JPG", "Makefile", ".hidden.png")
    found = look(tmp_path).scan()
    assert (set(found.files), found.skipped, found.other) == ({"a.md", "B.HTML"}, [], 3)
    some = look(tmp_path).some([tmp_path / "a.md", tmp_path / "c.jpg"])
    assert some is not None
    assert set(some.files) == {"a.md"}
    emptied = compare(Scan(other=3), {"a.md": known()}, "r", whole=True, prune=False)
    assert (emptied.missing, set(emptied.gone)) == (None, {"a.md"}), "a folder of photos is mounted"


def test_links_out_of_the_folder_are_skipped_and_named(tmp_path: Path) -> None:
    fill(tmp_path, "home/a.md", "elsewhere/secret.md")
    home = tmp_path / "home"
    (home / "out.md").symlink_to(tmp_path / "elsewhere" / "secret.md")
    (home / "folder").symlink_to(tmp_path / "elsewhere")
    (home / "in.md").symlink_to(home / "a.md")
    (home / "nowhere.md").symlink_to(home / "absent.md")
    found = look(home).scan()
    assert set(found.files) == {"a.md", "in.md"}
    assert {name for name, _ in found.skipped} == {"out.md", "folder", "nowhere.md"}
    assert look(home).inside("in.md")
    assert not look(home).inside("out.md")
    assert not look(home).inside("folder/secret.md")


def test_a_folder_whose_name_begins_the_same_is_outside(tmp_path: Path) -> None:
    fill(tmp_path, "home/a.md", "home2/b.md")
    (tmp_path / "home" / "b.md").symlink_to(tmp_path / "home2" / "b.md")
    assert set(look(tmp_path / "home").scan().files) == {"a.md"}


def test_what_is_no_plain_file_or_has_no_proper_name(tmp_path: Path) -> None:
    fill(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe.md")
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.md", os.O_CREAT))
    found = look(tmp_path).scan()
    assert set(found.files) == {"a.md"}
    assert [reason for _, reason in found.skipped] == ["its name is not valid text"]
    for name, _ in found.skipped:
        name.encode()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert "is not there" in str(look(tmp_path / "absent").scan().missing)
    fill(tmp_path, "file")
    assert look(tmp_path / "file").scan().missing


def test_looking_at_some_files_gives_up_on_what_is_not_there(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "b.md", ".hidden/c.md")
    some = look(tmp_path, exclude=("b.md",)).some
    found = some([tmp_path / "a.md", tmp_path / "b.md", tmp_path / ".hidden" / "c.md"])
    assert found is not None
    assert set(found.files) == {"a.md"}
    assert some([tmp_path / "gone.md"]) is None
    assert some([tmp_path]) is None
    assert some([tmp_path.parent / "other.md"]) is None


@pytest.mark.parametrize("exclude", ["private/", "a/private/", "**/private/", "a/"])
def test_looking_at_some_files_leaves_out_excluded_folders_like_a_scan(tmp_path: Path, exclude: str) -> None:
    fill(tmp_path, "a/private/b/c.md", "private/d.md", "e.md")
    closed = look(tmp_path, exclude=(exclude,))
    found = closed.some([tmp_path / "a/private/b/c.md", tmp_path / "private/d.md", tmp_path / "e.md"])
    assert found is not None
    assert found.files == closed.scan().files


def test_looking_at_some_files_gives_up_on_a_way_through_a_linked_folder(tmp_path: Path) -> None:
    fill(tmp_path, "home/real/a.md", "home/b.md")
    home = tmp_path / "home"
    (home / "link").symlink_to("real")
    (tmp_path / "house").symlink_to("home")
    assert look(home).some([home / "link" / "a.md"]) is None
    for folder in (home, tmp_path / "house"):
        found = look(folder).some([folder / "real" / "a.md", folder / "b.md"])
        assert found is not None
        assert set(found.files) == {"real/a.md", "b.md"}


def test_compare_tells_new_changed_gone_and_refused_apart() -> None:
    scan = Scan(files=dict.fromkeys(("same", "new", "changed", "recut", "broken"), STAMP))
    rows = {
        "same": known(),
        "changed": known(Stamp(4, 1, 1)),
        "recut": known(recipe="older"),
        "broken": known(reason="it is broken"),
        "gone": known(),
    }
    plan = compare(scan, rows, "r", whole=True, prune=False)
    assert {path for path, _, _ in plan.todo} == {"new", "changed", "recut"}
    assert (set(plan.gone), plan.refused, plan.unchanged) == ({"gone"}, [("broken", "it is broken")], 1)
    assert not compare(scan, rows, "r", whole=False, prune=False).gone


@pytest.mark.parametrize("scan", [Scan(), Scan(missing="not mounted")])
def test_a_missing_or_emptied_folder_removes_nothing_unless_told(scan: Scan) -> None:
    plan = compare(scan, {"a": known()}, "r", whole=True, prune=False)
    assert plan.missing
    assert not plan.gone
    assert set(compare(scan, {"a": known()}, "r", whole=True, prune=True).gone) == {"a"}


def test_an_empty_folder_that_never_held_anything_is_not_suspicious() -> None:
    plan = compare(Scan(), {"a": known(version=0)}, "r", whole=True, prune=False)
    assert plan.missing is None
    assert set(plan.gone) == {"a"}


def test_files_below_a_folder_that_cannot_be_listed_stay() -> None:
    scan = Scan(files={"a": STAMP}, unseen=["closed/"])
    rows = {"a": known(), "closed/b": known(), "open/c": known()}
    assert set(compare(scan, rows, "r", whole=True, prune=False).gone) == {"open/c"}


def test_a_file_that_cannot_be_looked_at_stays_and_hides_no_other() -> None:
    rows = {"2024": known(), "2024-report.md": known(), "2024/a": known()}
    assert set(compare(Scan(files={"a": STAMP}, unseen=["2024"]), rows, "r", whole=True, prune=False).gone) == {
        "2024-report.md",
        "2024/a",
    }


def test_a_link_that_leads_nowhere_any_more_is_gone(tmp_path: Path) -> None:
    fill(tmp_path, "other.md")
    (tmp_path / "link.md").symlink_to("deleted.md")
    (tmp_path / "below.md").symlink_to("other.md/a.md")
    found = look(tmp_path).scan()
    assert (found.unseen, dict(found.skipped)) == ([], dict.fromkeys(("link.md", "below.md"), "it is a link to nothing"))
    assert set(compare(found, {"link.md": known(), "other.md": known()}, "r", whole=True, prune=False).gone) == {"link.md"}


def test_a_file_changed_a_moment_ago_settles_before_it_is_trusted(tmp_path: Path) -> None:
    fill(tmp_path, "a.md")
    fresh = look(tmp_path).stamp("a.md")
    assert fresh is not None
    assert 0 < settling_s(fresh) <= 3
    assert not trusted(look(tmp_path), "a.md", fresh)
    assert settling_s(STAMP) == 0
    assert not trusted(look(tmp_path), "a.md", STAMP)
    assert UNTRUSTED.size < 0
