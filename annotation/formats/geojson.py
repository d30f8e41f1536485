"""GeoJSON: one FeatureCollection per image, outlines along the borders of pixels with their holes.

Coordinates are pixels of the picture, x to the right and y downwards; with the option `map` those of the coordinate
system that the image's GeoTIFF names, which stands in the old member `crs` (GeoJSON 2008: GDAL and QGIS read it). Outer
rings come first and run counterclockwise as RFC 7946 reads the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Option, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.outlines import Ring, parts_of
from annotation.formats.pictures import file_name_of, provenance_of, put_picture, stem_of
from annotation.models import Image, Mask

FORMAT = "geojson"
PIXELS, MAP = "pixels", "map"
ROW = "$.features[*]"
RESOURCES = (Resource("outlines", (croissant.JSON,), includes=("geojson/*.geojson",)), croissant.pictures_of())
TABLES = (
    croissant.PICTURE_TABLE,
    Table(
        "masks",
        "outlines",
        (
            Column("document", "string", "The file it stands in, called as its picture.", property="filename"),
            Column("id", "string", "The mask's own id, the same in every export.", path=f"{ROW}.id"),
            Column("category", "string", "What it shows.", path=f"{ROW}.properties.category"),
            Column("bbox", "int32", "x, y, width, height.", path=f"{ROW}.properties.bbox", repeated=True),
            Column("area", "int64", "Pixels inside.", path=f"{ROW}.properties.area"),
            Column(
                "coordinates",
                "float64",
                "A MultiPolygon, in pixels with y downwards or on the map.",
                path=f"{ROW}.geometry.coordinates",
                repeated=True,
                shape="-1,-1,-1,2",
            ),
        ),
        key="id",
    ),
)


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it."""
    on_map = brief.options.get("coordinates") == MAP
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        for name in ("images", "geojson"):
            (folder / name).mkdir()
        for image, masks in records:
            picture, name = f"images/{file_name_of(image)}", f"geojson/{stem_of(image)}.geojson"
            put_picture(image, folder / picture)
            _write_one(folder / name, image, masks, place_of(image) if on_map else None)
            manifest.add(picture)
            manifest.add(name)
            manifest.counts.images += 1
            manifest.counts.masks += len(masks)
            brief.on_image()
        croissant.described(folder, manifest, brief, RESOURCES, TABLES)
        manifest.counts.categories = sorted({name or UNNAMED for name in brief.categories})
    return manifest.counts


@dataclass(frozen=True)
class Place:
    """Where an image lies: `transform` [a, b, c, d, e, f] takes a corner (x, y) of a pixel to a x + b y + c and
    d x + e y + f in the coordinate system `crs` (annotation.ingest.tiff)."""

    crs: str
    transform: tuple[float, ...]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """2x2, without the shift."""
        a, b, _, d, e, _ = self.transform
        return np.array([[a, b], [d, e]])

    @property
    def mirrored(self) -> bool:
        """Whether a ring runs the other way round on the map, as it does where north is up."""
        return bool(np.linalg.det(self.matrix) < 0)

    def on_map(self, ring: Ring) -> NDArray[np.float64]:
        """(N, 2) of pixel corners as (N, 2) on the map, in the same sense of rotation."""
        moved = ring @ self.matrix.T + (self.transform[2], self.transform[5])
        return moved[::-1] if self.mirrored else moved

    def in_pixels(self, ring: NDArray[np.float64]) -> NDArray[np.float64]:
        """The way back."""
        shifted = ring - (self.transform[2], self.transform[5])
        pixels = np.linalg.solve(self.matrix, shifted.T).T.astype(np.float64)
        return pixels[::-1] if self.mirrored else pixels

    def crs_name(self) -> str:
        """As a URN where it is known by number; longitude comes first in every case."""
        kind, _, code = self.crs.partition(":")
        if self.crs == "EPSG:4326":
            return "urn:ogc:def:crs:OGC:1.3:CRS84"
        return f"urn:ogc:def:crs:EPSG::{code}" if kind == "EPSG" else self.crs


def place_of(image: Image) -> Place | None:
    """None for an image without a place, or with one that maps it to a line."""
    told = image.georeference or {}
    place = Place(str(told.get("crs", "")), tuple(told.get("transform", ())))
    return place if len(place.transform) == 6 and np.linalg.det(place.matrix) else None


def _write_one(path: Path, image: Image, masks: Sequence[Mask], place: Place | None) -> None:
    head: dict[str, Any] = {"type": "FeatureCollection", "image": file_name_of(image)}
    head |= {"width": image.width, "height": image.height}
    if place:
        head |= {"crs": {"type": "name", "properties": {"name": place.crs_name()}}, "transform": place.transform}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, ensure_ascii=False).removesuffix("}") + ', "features": [')
        for number, mask in enumerate(masks):
            feature = json.dumps(feature_of(mask, place), separators=(",", ":"), ensure_ascii=False)
            file.write(("," if number else "") + "\n" + feature)
        file.write("\n]}\n")


def feature_of(mask: Mask, place: Place | None = None) -> dict[str, Any]:
    """One mask as a MultiPolygon, in pixels or on the map. `area` and `bbox` are those in pixels."""
    rings = [(part.outer, *part.holes) for part in parts_of(mask.segmentation, mask.bbox)]
    polygons = [[_closed(place.on_map(ring) if place else ring) for ring in part] for part in rings]
    properties = {
        "category": mask.category or UNNAMED,
        "area": mask.area,
        "bbox": mask.bbox,
        "crowd": mask.crowd,
        "anymask": provenance_of(mask),
    }
    geometry = {"type": "MultiPolygon", "coordinates": polygons}
    return {"type": "Feature", "id": str(mask.uuid), "geometry": geometry, "properties": properties}


def _closed(ring: NDArray[Any]) -> list[list[float]]:
    """The first vertex again at the end."""
    return [*ring.tolist(), ring[0].tolist()]


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: rings without their holes have, in pixels, the area of the mask. Raises VerifyError."""
    verify_files(folder)
    images = masks = 0
    for path in sorted((folder / "geojson").iterdir()):
        with path.open(encoding="utf-8") as file:
            head = json.loads(next(file).rstrip() + "]}")
            place = Place("", tuple(head["transform"])) if "transform" in head else None
            for line in file:
                if line.startswith('{"type":"Feature"'):
                    feature = json.loads(line.rstrip().rstrip(","))
                    polygons = feature["geometry"]["coordinates"]
                    area = sum(_area_in_pixels(ring, place) for polygon in polygons for ring in polygon)
                    if area != feature["properties"]["area"]:
                        raise VerifyError(f"{path.name}, {feature['id']}: its rings have another area")
                    masks += 1
        images += 1
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {masks} masks read, {counts.images} and {counts.masks} written")


def _area_in_pixels(ring: Sequence[Sequence[float]], place: Place | None) -> float:
    if place is None:
        return ring_area(ring)
    return ring_area(np.rint(place.in_pixels(np.asarray(ring))).tolist())


def ring_area(ring: Sequence[Sequence[float]]) -> float:
    """Area of a closed ring, negative for a hole."""
    x, y = np.asarray(ring, dtype=np.float64).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


EXPORT = ExportFormat(
    name=FORMAT,
    title="GeoJSON",
    about="Pictures, and one file of outlines each with holes, for QuPath, QGIS and drawing libraries.",
    options=(
        Option(
            "coordinates",
            "Coordinates",
            PIXELS,
            ((PIXELS, "pixels"), (MAP, "map coordinates of GeoTIFFs")),
            about="On the map, images that came without a place stay in pixels.",
        ),
    ),
    write=write,
    verify=verify,
)
