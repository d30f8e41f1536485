"""Reads COCO panoptic: panoptic.json, and one PNG per image whose pixels name their segment; read in the cage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.coco_reader import Document, decoded, documents_read, key_of
from annotation.formats.names import folder_of, last_folder
from annotation.formats.source import FileIndex, LabelMap, Refusals, SourceImage, text, whole

MARK = b'"segments_info"'
HEAD = 1 << 20


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their maps from every panoptic document; what cannot be used is noted and the rest goes on."""
    pictures, maps = _apart(index)  # pictures that are PNGs have the names of their maps
    return documents_read(pictures, refusals, partial(_take_maps, maps))


def _apart(index: FileIndex) -> tuple[FileIndex, FileIndex]:
    """(all but the maps, the maps): PNGs in folders called panoptic, where COCO has them if there are such.

    Where there are none, maps may be anywhere among the pictures; a folder `images` never has any.
    """
    pngs = {name: PurePosixPath(name).parents for name, _ in index.ending(".png") if last_folder(name) != "images"}
    places = {place for name, _ in index.documents() for place in _places(name) if _is_panoptic(place)}
    known = {name for name, parents in pngs.items() if any(str(parent) in places for parent in parents)}
    known = known or {name for name in pngs if _is_panoptic(folder_of(name))}
    pictures, maps = FileIndex(), FileIndex()
    for name, path in index.items():
        if name not in known:
            pictures.add(name, path)
        if name in (known or pngs):
            maps.add(name, path)
    return pictures, maps


def _is_panoptic(folder: str) -> bool:
    return "panoptic" in PurePosixPath(folder).name.lower()


def _places(document: str) -> tuple[str, str]:
    """Where COCO has the maps of a document: in the folder called like it, or in "panoptic" beside it."""
    place = PurePosixPath(document)
    return str(place.with_suffix("")), str(place.parent / "panoptic")


def _take_maps(maps: FileIndex, document: Document, source: SourceImage, mine: Iterator[tuple[int, str]]) -> None:
    for number, written in mine:
        row = decoded(written)
        name = text(row.get("file_name"), 255)
        path = _map_named(maps, document.name, name, source.path)
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


def _map_named(maps: FileIndex, document: str, name: str, picture: Path) -> Path | None:
    """The map that a document calls so. A picture may be a PNG of the same name."""
    if not name:
        return None
    near = (maps.exactly(f"{place}/{name}") for place in _places(document))
    found = next((path for path in near if path is not None), None) or maps.find(name, document)
    return found if found != picture else None


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
