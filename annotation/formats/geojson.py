"""GeoJSON: one FeatureCollection per image, outlines along the borders of pixels with their holes.

Coordinates are pixels of the picture, x to the right and y downwards. Outer rings come first and run counterclockwise
as RFC 7946 reads the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annotation.formats.base import UNNAMED, Brief, ExportFormat, Records
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.outlines import Ring, parts_of
from annotation.formats.pictures import file_name_of, provenance_of, put_picture, stem_of
from annotation.models import Image, Mask

FORMAT = "geojson"


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it."""
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        for name in ("images", "geojson"):
            (folder / name).mkdir()
        for image, masks in records:
            picture, name = f"images/{file_name_of(image)}", f"geojson/{stem_of(image)}.geojson"
            put_picture(image, folder / picture)
            _write_one(folder / name, image, masks)
            manifest.add(picture)
            manifest.add(name)
            manifest.counts.images += 1
            manifest.counts.masks += len(masks)
            brief.on_image()
        manifest.counts.categories = sorted({name or UNNAMED for name in brief.categories})
    return manifest.counts


def _write_one(path: Path, image: Image, masks: Sequence[Mask]) -> None:
    head = {"type": "FeatureCollection", "image": file_name_of(image), "width": image.width, "height": image.height}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, ensure_ascii=False).removesuffix("}") + ', "features": [')
        for number, mask in enumerate(masks):
            feature = json.dumps(feature_of(mask), separators=(",", ":"), ensure_ascii=False)
            file.write(("," if number else "") + "\n" + feature)
        file.write("\n]}\n")


def feature_of(mask: Mask) -> dict[str, Any]:
    """One mask as a MultiPolygon."""
    polygons = [[_closed(part.outer), *map(_closed, part.holes)] for part in parts_of(mask.segmentation, mask.bbox)]
    properties = {
        "category": mask.category or UNNAMED,
        "area": mask.area,
        "bbox": mask.bbox,
        "crowd": mask.crowd,
        "anymask": provenance_of(mask),
    }
    geometry = {"type": "MultiPolygon", "coordinates": polygons}
    return {"type": "Feature", "id": str(mask.uuid), "geometry": geometry, "properties": properties}


def _closed(ring: Ring) -> list[list[int]]:
    """The first vertex again at the end."""
    return [*ring.tolist(), ring[0].tolist()]


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: rings without their holes have the area of the mask. Raises VerifyError."""
    verify_files(folder)
    images = masks = 0
    for path in sorted((folder / "geojson").iterdir()):
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.startswith('{"type":"Feature"'):
                    feature = json.loads(line.rstrip().rstrip(","))
                    polygons = feature["geometry"]["coordinates"]
                    area = sum(ring_area(ring) for polygon in polygons for ring in polygon)
                    if area != feature["properties"]["area"]:
                        raise VerifyError(f"{path.name}, {feature['id']}: its rings have another area")
                    masks += 1
        images += 1
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {masks} masks read, {counts.images} and {counts.masks} written")


def ring_area(ring: Sequence[Sequence[float]]) -> float:
    """Area of a closed ring, negative for a hole."""
    x, y = np.asarray(ring, dtype=np.float64).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


EXPORT = ExportFormat(
    name=FORMAT,
    title="GeoJSON",
    about="Pictures, and one file of outlines each with holes, for QuPath, QGIS and drawing libraries.",
    write=write,
    verify=verify,
)
