"""croissant.json of every format: mlcroissant has nothing to say against it, and reads what it describes."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from pycocotools import mask as coco_mask  # noqa: TID251  what others decode with

from annotation import storage
from annotation.formats import registry
from annotation.formats.manifest import DESCRIPTION
from annotation.models import Image, Mask
from annotation.services import imports
from tests.annotation.exporting import OF_VIDEOS, difficult_image, export, full_dataset, masks_of  # noqa: F401  fixtures
from tests.annotation.test_round_trip import silent

KINDS = [
    ("coco", {"masks": "rle"}),
    ("coco", {"masks": "polygons"}),
    ("coco_panoptic", {}),
    ("sa1b", {"layout": "files"}),
    ("sa1b", {"layout": "shards"}),
    ("yolo", {}),
    ("png", {"kind": "instances"}),
    ("png", {"kind": "labels"}),
    ("png", {"kind": "binary"}),
    ("cutouts", {"kind": "object"}),
    ("geojson", {}),
    ("parquet", {}),
]
TABLES = {"coco_panoptic": "maps"}  # where masks are no rows of their own


def read(out, caplog):
    """The description as mlcroissant takes it; nothing to complain of."""
    import mlcroissant

    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(out / DESCRIPTION))
    told = [record.getMessage() for record in caplog.records]
    assert not [text for text in told if "error" in text.lower() or "not standard" in text], told
    return dataset


def test_no_format_is_left_out():
    assert {name for name, _ in KINDS} | set(OF_VIDEOS) == set(registry.EXPORTS)


@pytest.mark.parametrize(("name", "options"), KINDS, ids=lambda value: value if isinstance(value, str) else None)
def test_mlcroissant_reads_what_is_described(full, image, tmp_path, caplog, name, options):
    full.licence = "CC BY 4.0"
    full.save()
    outs = [export(full, name, tmp_path / f"out{number}", options) for number in (1, 2)]
    told = [(out / DESCRIPTION).read_bytes() for out in outs]
    assert told[0] == told[1], "the same state, the same bytes"
    document = json.loads(told[0])
    assert document["license"][0] == "CC BY 4.0"
    for resource in document["distribution"]:
        if "sha256" in resource:
            assert resource["sha256"] == storage.sha256_of(outs[0] / resource["contentUrl"])
    table = TABLES.get(name, "masks")
    assert {one["name"] for one in document["recordSet"]} >= {table} or options == {"layout": "shards"}
    if name not in ("cutouts", "parquet"):
        pictures = {
            row["pictures/file_name"]: row["pictures/picture"] for row in read(outs[0], caplog).records("pictures")
        }
        assert {one.size for one in pictures.values()} == {(row.width, row.height) for row in Image.objects.all()}
        assert len(pictures) == Image.objects.count()
    if options == {"layout": "shards"}:
        return  # it reads no documents inside of archives
    rows = list(read(outs[0], caplog).records(table))
    if name == "coco_panoptic":
        assert len(rows) == Image.objects.count()
        return
    assert len(rows) == Mask.objects.filter(status="accepted").count()
    areas = sorted(row[f"{table}/area"] for row in rows)
    assert areas == sorted(Mask.objects.filter(status="accepted").values_list("area", flat=True))
    if any(one["name"] == "counts" for one in document["recordSet"][-1]["field"]) and name != "parquet":
        truth = masks_of(image)
        for row in rows:
            coded = {"size": list(row["masks/size"]), "counts": row["masks/counts"]}
            assert np.array_equal(coco_mask.decode(coded).astype(bool), truth[row["masks/id"]])


@pytest.mark.parametrize("name", ["coco", "sa1b"])
def test_a_reader_of_masks_passes_over_it(full, tmp_path, name):
    out = export(full, name, tmp_path / "out")
    report = imports.import_folder(dataset=full, folder=out, import_format="auto", user=None, progress=silent)
    assert (report.format, report.refusals.count) == (name, 0)


def test_videos_are_described_by_track(full, tmp_path, caplog):
    out = export(full, "sav", tmp_path / "sav")
    rows = list(read(out, caplog).records("videos"))
    assert sorted(row["videos/masklet_num"] for row in rows) == [1, 1]
    rows = list(read(export(full, "video_cutouts", tmp_path / "out"), caplog).records("tracks"))
    assert sorted(row["tracks/category"] for row in rows) == [b"pear", b"plum"]
    assert {len(row["tracks/areas"]) for row in rows} == {5}
