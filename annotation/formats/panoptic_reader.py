"""Reads COCO panoptic: panoptic.json, and one PNG per image whose pixels name their segment; read in the cage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.coco_reader import Document, decoded, documents_read, key_of
from annotation.formats.source import FileIndex, LabelMap, Refusals, SourceImage, text, whole

MARK = b'"segments_info"'
HEAD = 1 << 20


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their maps from every panoptic document; what cannot be used is noted and the rest goes on."""
    others = FileIndex()  # pictures that are PNGs have the names of their maps
    for name, path in index.items():
        if not (name.endswith(".png") and any("panoptic" in part.lower() for part in PurePosixPath(name).parts[:-1])):
            others.add(name, path)
    return documents_read(others, refusals, partial(_take_maps, index))


def _take_maps(index: FileIndex, document: Document, source: SourceImage, mine: Iterator[tuple[int, str]]) -> None:
    for number, written in mine:
        row = decoded(written)
        name = text(row.get("file_name"), 255)
        path = _map_named(index, document.name, name, source.path)
        rows = row.get("segments_info")
        segments = {
            one: segment
            for segment in (rows if isinstance(rows, list) else [])
            if isinstance(segment, dict) and (one := whole(segment.get("id"), 1, 2**24 - 1)) is not None
        }
        if path is None or not segments:
            why = "The map is not there." if path is None else "The annotation names no segments."
            document.refusals.add(f"{document.name}, annotation {number}", "map_missing", why)
            continue
        names = {
            one: document.categories.get(key_of(segment.get("category_id")), "") for one, segment in segments.items()
        }
        source.maps.append(
            LabelMap(
                name,
                path,
                rgb=True,
                names={one: "" if category == UNNAMED else category for one, category in names.items()},
                only=frozenset(segments),
                crowds=frozenset(one for one, segment in segments.items() if segment.get("iscrowd") in (1, True)),
            )
        )


def _map_named(index: FileIndex, document: str, name: str, picture: Path) -> Path | None:
    """The map: in the folder called like the document, as COCO has it, in "panoptic" beside it, or alone of its name.

    A picture may be a PNG of the same name elsewhere.
    """
    if not name:
        return None
    place = PurePosixPath(document)
    near = (place.with_suffix("") / name, place.parent / "panoptic" / name)
    found = next((path for one in near if (path := index.exactly(str(one))) is not None), None) or index.find(name)
    return found if found is not None and found != picture else index.other_with_stem(PurePosixPath(name).stem, picture)


def recognises(index: FileIndex) -> bool:
    """Whether a JSON file speaks of segments near its beginning, or is called so."""
    return any(
        "panoptic" in PurePosixPath(name).name.lower() or MARK in index.head(name, HEAD)
        for name, _ in index.documents()
    )


IMPORT = ImportFormat(
    name="coco_panoptic",
    title="COCO panoptic",
    about="One PNG per picture in which every pixel names its segment, and the JSON beside them.",
    read=read,
    recognises=recognises,
)
