"""The formats there are. To add one, write its module and name it here: page, API and commands list these."""

from __future__ import annotations

from annotation.errors import UserError
from annotation.formats import (
    coco,
    coco_reader,
    cutouts,
    cvat,
    geojson,
    label_studio,
    labelme,
    map_reader,
    maps,
    panoptic,
    panoptic_reader,
    parquet,
    sa1b,
    sav,
    video_cutouts,
    yolo,
    yolo_reader,
)
from annotation.formats.base import ExportFormat, ImportFormat

EXPORTS: dict[str, ExportFormat] = {
    module.EXPORT.name: module.EXPORT
    for module in (coco, panoptic, sa1b, yolo, maps, cutouts, geojson, parquet, sav, video_cutouts)
}
# In the order in which they are asked whether they recognise what came; COCO says yes to any JSON.
IMPORTS: dict[str, ImportFormat] = {
    one.name: one
    for one in (
        sa1b.IMPORT,
        cvat.IMPORT,
        labelme.IMPORT,
        label_studio.IMPORT,
        panoptic_reader.IMPORT,
        *map_reader.IMPORTS,
        coco_reader.IMPORT,
        yolo_reader.IMPORT,
    )
}


def export_format(name: str) -> ExportFormat:
    """Raises UserError `format_unknown`."""
    if (found := EXPORTS.get(name)) is None:
        raise UserError("format_unknown", f"There is no format {name[:60]!r}: choose {', '.join(EXPORTS)}.")
    return found
