"""Reads PNG maps: instance maps (each value an object), label maps (each value a category), one binary file per mask.

A map belongs to the picture of the same name in another folder (images/a.jpg and labels/a.png), with an ending to its
name (a_mask.png), or of the name of its folder (masks/a/1.png). Their pixels are read in the cage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from annotation.errors import UserError
from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.map_places import INSTANCES, LABELS, is_map, is_of_voc, placed
from annotation.formats.maps import NAMES
from annotation.formats.names import folder_of, normal
from annotation.formats.pictures import INDEX
from annotation.formats.source import FileIndex, LabelMap, Refusals, SourceImage, read_json, text, whole

TITLES = {INSTANCES: "PNG instance maps", LABELS: "PNG label maps"}
OTHER = {INSTANCES: LABELS, LABELS: INSTANCES}
MAX_LINE = 1 << 20
VOID = 255  # the rim round objects in Pascal VOC


def read(kind: str, index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Pictures with their maps; what cannot be used is noted and the rest goes on."""
    maps, others, pictures = {}, [], []
    for name, path in index.pictures():
        if is_map(name, kind):
            maps[name] = path
        elif is_map(name, OTHER[kind]):
            others.append(name)
        else:
            pictures.append((name, path))
    if others:
        why = f"There are {len(others)} maps of the other kind, which were not read: import them as {{}}."
        refusals.add(others[0], "map_other_kind", why.format(TITLES[OTHER[kind]]))
    found = placed(list(maps), pictures, kind)
    by_picture: dict[Path, list[str]] = {}
    for name in maps:
        if name in found:
            by_picture.setdefault(found[name], []).append(name)
        else:
            refusals.add(name, "picture_missing", "There is no picture for this map.")
    categories = _label_names(index, refusals) if kind == LABELS else {}
    told = _told(index, refusals) if kind == INSTANCES else {}
    for name, path in pictures:
        source = SourceImage(name.rsplit("/", 1)[-1], path)
        for one in by_picture.get(path, []):
            void = VOID if is_of_voc(one) else None
            named = categories or told.get(one, {})
            source.maps.append(LabelMap(one, maps[one], split=kind == LABELS, names=named, void=void))
        yield source


def _label_names(index: FileIndex, refusals: Refusals) -> dict[int, str]:
    """Value -> category from labels.json, {"1": "cat"}; empty if there is none."""
    for name, path in index.ending(NAMES):
        try:
            found = read_json(path, name)
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
            continue
        if isinstance(found, dict):
            named = {int(key): text(value, 200) for key, value in found.items() if key.isdecimal() and len(key) < 6}
            return {key: "" if value == UNNAMED else value for key, value in named.items()}
    return {}


def _told(index: FileIndex, refusals: Refusals) -> dict[str, dict[int, str]]:
    """File -> value -> category, from masks.jsonl as our own exports have it: files are told from its folder."""
    found: dict[str, dict[int, str]] = {}
    for name, path in index.ending(INDEX):
        with path.open("rb") as lines:
            while line := lines.readline(MAX_LINE):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    refusals.add(name, "document_damaged", "A line of this file is no JSON; categories are missing.")
                    break
                value = whole(row.get("value"), 1, 1 << 24) if isinstance(row, dict) else None
                if value is not None and isinstance(row.get("file"), str):
                    category = text(row.get("category"), 200)
                    file = normal(f"{folder_of(name)}/{row['file']}")
                    found.setdefault(file, {})[value] = "" if category == UNNAMED else category
    return found


def recognises(kind: str, index: FileIndex) -> bool:
    """Whether there are maps by their names, and pictures beside them."""
    names = [name for name, _ in index.pictures()]
    maps = sum(is_map(name, kind) for name in names)
    documents = any(name.rsplit("/", 1)[-1] != NAMES for name, _ in index.documents())
    return 0 < maps < len(names) and not documents


IMPORTS = (
    ImportFormat(
        name=INSTANCES,
        title=TITLES[INSTANCES],
        about="Pictures, and in masks/ or instances/ maps whose values are objects, or one file per mask.",
        read=partial(read, INSTANCES),
        recognises=partial(recognises, INSTANCES),
    ),
    ImportFormat(
        name=LABELS,
        title=TITLES[LABELS],
        about="Pictures, and in labels/ maps whose values are categories: each connected part becomes a mask.",
        read=partial(read, LABELS),
        recognises=partial(recognises, LABELS),
    ),
)
