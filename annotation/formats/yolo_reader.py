"""Reads YOLO-seg: text files of outlines beside their pictures, or in labels/ where those lie in images/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from annotation.errors import UserError
from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.source import FileIndex, Refusals, SourceImage, read_text, text
from annotation.formats.yolo import drawn_from
from modelzoo import rle

MAX_NAMES_BYTES = 1 << 20
NO_LABELS = frozenset(("classes.txt", "train.txt", "val.txt", "test.txt", "readme.txt", "license.txt"))


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Every picture with the masks of its label file; what cannot be used is noted and the rest goes on."""
    labels = dict(_labels(index))
    found = _labels_of([name for name, _ in index.pictures()], labels)
    names = _names(index, refusals)
    for name, path in index.pictures():
        source = SourceImage(name.rsplit("/", 1)[-1], path)
        if (label := found.get(name)) is not None:
            source.shapes = partial(_masks, label, labels[label], names, refusals)
        yield source
    for name in sorted(labels.keys() - set(found.values())):
        refusals.add(name, "picture_missing", "There is no picture for these labels.")


def _labels(index: FileIndex) -> Iterator[tuple[str, Path]]:
    return ((n, path) for n, path in index.ending(".txt") if n.rsplit("/", 1)[-1].lower() not in NO_LABELS)


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _labels_of(pictures: list[str], labels: dict[str, Path]) -> dict[str, str]:
    """Picture -> its label file. One that nobody has by its place belongs to the only picture of its name, if any."""
    found = {name: label for name in pictures if (label := _label_at(name, labels)) is not None}
    by_stem = _by_stem(pictures)
    for stem, free in _by_stem(labels.keys() - set(found.values())).items():
        same = by_stem.get(stem, [])
        if len(same) == len(free) == 1 and same[0] not in found:
            found[same[0]] = free[0]
    return found


def _by_stem(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_stem(name), []).append(name)
    return found


def _label_at(picture: str, labels: dict[str, Path]) -> str | None:
    beside = picture.rsplit(".", 1)[0] + ".txt"
    folders = beside.split("/")
    for place in range(len(folders) - 2, -1, -1):  # the last folder called images, as Ultralytics does it
        if folders[place].lower() == "images":
            folders[place] = "labels"
            break
    return next((name for name in ("/".join(folders), beside) if name in labels), None)


def _names(index: FileIndex, refusals: Refusals) -> dict[int, str]:
    """Number -> name of the categories, from data.yaml or classes.txt; empty if nothing says it."""
    for name, path in index.ending("classes.txt"):
        try:
            return dict(enumerate(text(line, 200) for line in read_text(path, name).splitlines()))
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
    for name, path in [*index.ending(".yaml"), *index.ending(".yml")]:
        if path.stat().st_size > MAX_NAMES_BYTES:
            continue
        try:
            found = _names_in(path.read_bytes())
        except Exception:  # PyYAML lets through what its parts raise, of any kind
            refusals.add(name, "document_damaged", "This is not a YAML document.")
            continue
        if found is not None:
            return found
    return {}


def _names_in(document: bytes) -> dict[int, str] | None:
    """The list or table `names` of a YAML document; None if it has none. Raises whatever PyYAML does.

    Its nodes are read and no objects made of them: merge keys (`<<`) would grow with every level, and tags do nothing.
    """
    root = yaml.compose(document, yaml.SafeLoader)
    members = root.value if isinstance(root, yaml.MappingNode) else []
    node = next((value for key, value in members if key.value == "names"), None)
    if isinstance(node, yaml.SequenceNode):
        return {number: _written(one) for number, one in enumerate(node.value)}
    if isinstance(node, yaml.MappingNode):
        numbered = ((_written(key), value) for key, value in node.value)
        return {int(key): _written(value) for key, value in numbered if key.isdecimal() and len(key) <= 6}
    return None


def _written(node: yaml.Node) -> str:
    """The text of a node as it stands there; empty for what is no text."""
    return text(node.value, 200) if not node.tag.endswith(":null") else ""


def _masks(
    name: str, path: Path, names: dict[int, str], refusals: Refusals, height: int, width: int
) -> Iterable[dict[str, Any]]:
    """Records of one label file, once the size of its picture is known."""
    try:
        lines = read_text(path, name).splitlines()
    except UserError as problem:
        refusals.add(name, problem.code, problem.message)
        return
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        item = f"{name}, line {number}"
        if not words[0].isdecimal() or len(words[0]) > 6:
            refusals.add(item, "annotation_malformed", "A line must begin with the number of a category.")
            continue
        if len(words) == 5:
            refusals.add(item, "shape_unsupported", "This line is a box, which is no mask.")
            continue
        try:
            mask = drawn_from(words[1:], height, width)
        except rle.RLEError as problem:
            refusals.add(item, problem.code, str(problem))
            continue
        category = names.get(int(words[0]), f"class {int(words[0])}")
        yield {"segmentation": mask, "category": "" if category == UNNAMED else category}


def recognises(index: FileIndex) -> bool:
    """Whether a text file begins with the line of a label file, or a YAML file names categories."""
    if any(b"names:" in index.head(name, 1 << 14) for name, _ in index.ending(".yaml")[:5]):
        return True
    return any(_is_line(index.head(name, 256)) for name, _ in list(_labels(index))[:5])


def _is_line(head: bytes) -> bool:
    words = head.split(b"\n", 1)[0].split()
    try:
        return len(words) >= 5 and words[0].isdigit() and all(-1 <= float(word) <= 2 for word in words[1:5])
    except ValueError:
        return False


IMPORT = ImportFormat(
    name="yolo",
    title="YOLO-seg",
    about="Pictures with text files of outlines, names from data.yaml or classes.txt.",
    read=read,
    recognises=recognises,
)
