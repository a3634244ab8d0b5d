"""The files of a collection's folder, as one look at the folder shows them: names and times, never their contents."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from knowledge.readers import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_SUFFIXES = tuple(SUFFIXES)
_PASSING = re.compile(r"^(\.|~\$)|(~|\.(tmp|temp|part|partial|crdownload|swp|swo|lock))$", re.IGNORECASE)
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|\{[^{}]*,[^{}]*\}|[^*?\[{]+|[\[{]")


class Stamp(NamedTuple):
    """What tells a changed file from an unchanged one: bytes, and both times in nanoseconds."""

    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(slots=True)
class Scan:
    """What a look at the folder found. Paths are relative, with `/`.

    `unseen` are folders that could not be listed, each with a `/` at its end, and files that could not be looked at: nothing is
    known of them. `missing` says why nothing can be concluded from this look at all: the folder is not there. `other` counts the
    files of kinds that are not read.
    """

    files: dict[str, Stamp] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    missing: str | None = None
    other: int = 0


def matcher(globs: Iterable[str]) -> re.Pattern[str]:
    """One expression for several globs: `*` and `?` stay inside a folder, `**` crosses folders, `{md,txt}` is one or the other.

    No glob matches nothing.
    """
    return re.compile("|".join(f"(?:{_expression(glob)})" for glob in globs) or r"(?!)", re.DOTALL)


def _expression(glob: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = []
    for token in _TOKEN.findall(glob.removeprefix("./")):
        if token in known:
            parts.append(known[token])
        elif token.startswith("[") and token.endswith("]"):
            parts.append("[^" + token[2:] if token[1] == "!" else token)
        elif token.startswith("{") and token.endswith("}"):
            parts.append(f"(?:{'|'.join(map(_expression, token[1:-1].split(',')))})")
        else:
            parts.append(re.escape(token))
    return "".join(parts)


class Look:
    """The rule of which files of `folder` are documents. Every method does blocking work: call it in a thread."""

    def __init__(self, folder: Path, include: Sequence[str], exclude: Sequence[str]) -> None:
        self.folder = folder
        self._include = matcher(include).fullmatch
        self._exclude = matcher(exclude).fullmatch

    def scan(self) -> Scan:
        """Look at the whole folder. Costs one `stat` a file."""
        found = Scan()
        root = os.path.realpath(self.folder)
        if not self.folder.is_dir():
            found.missing = f"the folder {self.folder} is not there"
            return found
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            try:
                with os.scandir(f"{root}/{prefix}") as entries:
                    for entry in entries:
                        self._enter(root, prefix + entry.name, entry, found, waiting)
            except OSError as error:
                found.unseen.append(prefix)
                found.skipped.append((_shown(prefix) or ".", f"the folder cannot be listed: {error.strerror}"))
        if "" in found.unseen:
            found.missing = f"the folder {self.folder} cannot be listed"
        return found

    def some(self, paths: Iterable[Path]) -> Scan | None:
        """Look at these files alone. None when one is not a plain file there: only a whole scan tells what happened."""
        found = Scan()
        root = self.folder.resolve()
        for path in paths:
            try:
                within = path.relative_to(self.folder)
                name = within.as_posix()
                name.encode()
                status = path.lstat()
            except (OSError, ValueError):
                return None
            if not stat.S_ISREG(status.st_mode) or path.parent.resolve() != root / within.parent:
                return None  # by way of a linked folder, which a scan does not follow, a file is seen under a second name
            if self._wanted(name) and _is_read(name) and self._entered(name) and not _PASSING.search(path.name):
                found.files[name] = Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return found

    def stamp(self, name: str) -> Stamp | None:
        """One file as it is now; None when it is gone."""
        try:
            status = (self.folder / name).stat()
        except OSError:
            return None
        return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def inside(self, name: str) -> bool:
        """Whether the file still leads to a place inside the folder. Asked again just before reading."""
        root = os.path.realpath(self.folder)
        return _within(root, os.path.realpath(f"{root}/{name}"))

    def _enter(self, root: str, name: str, entry: os.DirEntry[str], found: Scan, waiting: list[str]) -> None:
        if _PASSING.search(entry.name):
            return
        if entry.is_dir(follow_symlinks=False):
            if not self._exclude(name + "/"):
                waiting.append(name + "/")
        elif self._wanted(name):
            self._file(root, name, entry, found)

    def _file(self, root: str, name: str, entry: os.DirEntry[str], found: Scan) -> None:
        try:
            name.encode()
            if entry.is_symlink() and not _within(root, os.path.realpath(entry.path)):
                found.skipped.append((name, "it is a link that leaves the folder"))
                return
            status = entry.stat()
        except UnicodeEncodeError:
            found.skipped.append((_shown(name), "its name is not valid text"))
        except (FileNotFoundError, NotADirectoryError):  # what was here, or where the link led, is gone: so is the document
            if entry.is_symlink():
                found.skipped.append((name, "it is a link to nothing"))
        except OSError as error:
            found.unseen.append(name)
            found.skipped.append((name, f"it cannot be looked at: {error.strerror}"))
        else:
            if stat.S_ISREG(status.st_mode) and not _is_read(name):
                found.other += 1
            elif stat.S_ISREG(status.st_mode):
                found.files[name] = Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            elif entry.is_symlink() and stat.S_ISDIR(status.st_mode):
                found.skipped.append((name, "it is a link to a folder"))

    def _entered(self, name: str) -> bool:
        """Whether a scan enters all folders above the file."""
        above = [name[: slash.start()] for slash in re.finditer("/", name)]
        return not any(_PASSING.search(folder.rpartition("/")[2]) or self._exclude(folder + "/") for folder in above)

    def _wanted(self, name: str) -> bool:
        return self._include(name) is not None and self._exclude(name) is None


def _is_read(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _within(root: str, path: str) -> bool:
    return os.path.commonpath((root, path)) == root


def _shown(name: str) -> str:
    return name.encode(errors="replace").decode()
