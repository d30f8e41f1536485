"""Parquet and Croissant, read with what others read them with: pyarrow, Hugging Face datasets, mlcroissant."""

from __future__ import annotations

import json
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from pycocotools import mask as coco_mask  # noqa: TID251  what others decode with

from annotation import storage
from annotation.exported import ExportFilter
from annotation.formats import parquet
from annotation.formats.manifest import DESCRIPTION, VerifyError
from annotation.models import Mask
from annotation.services import exports
from annotation.services.versions import version_freeze
from modelzoo import rle
from tests.annotation.exporting import difficult_image, export, full_dataset, masks_of  # noqa: F401  fixtures
from tests.annotation.test_round_trip import silent


@pytest.fixture
def out(full, tmp_path):
    return export(full, "parquet", tmp_path / "out")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Hugging Face datasets with a cache of its own that asks nobody."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return str(tmp_path / "cache")


def test_every_mask_is_a_row_that_pycocotools_reads(out, image):
    rows = pq.read_table(out / "masks.parquet").to_pylist()
    truth = masks_of(image)
    assert [row["mask_id"] for row in rows] == sorted(truth)
    for row in rows:
        coded = {"size": [row["height"], row["width"]], "counts": row["counts"]}
        assert np.array_equal(coco_mask.decode(coded).astype(bool), truth[row["mask_id"]])
        assert row["area"] == coco_mask.area(coded)
        assert [row[f"bbox_{side}"] for side in ("x", "y", "width", "height")] == coco_mask.toBbox(coded).tolist()
        assert (row["made_by"], row["status"]) == ("hand", "accepted")
    assert {row["category"] for row in rows if row["area"] == 1} == {"object"}
    pictures = pq.read_table(out / "images" / "metadata.parquet").to_pylist()
    assert [row["masks"] for row in pictures] == [len(rows), 0]
    assert all((out / "images" / row["file_name"]).is_file() for row in pictures)


def test_rows_come_in_groups_of_a_bounded_size(full, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 2)
    with pq.ParquetFile(export(full, "parquet", tmp_path / "out") / "masks.parquet") as table:
        sizes = [table.metadata.row_group(number).num_rows for number in range(table.num_row_groups)]
    assert max(sizes) == 2
    assert sum(sizes) == Mask.objects.filter(status="accepted").count()


def test_hugging_face_datasets_loads_it_as_it_stands(out, offline, image):
    from datasets import load_dataset

    images = load_dataset("imagefolder", data_dir=str(out / "images"), split="train", cache_dir=offline)
    masks = load_dataset("parquet", data_files=str(out / "masks.parquet"), split="train", cache_dir=offline)
    assert set(images["split"]) == {"train", "held_out"}
    (row,) = [one for one in images if one["image_id"] == image.pk]
    assert row["image"].size == (image.width, image.height)
    truth = masks_of(image)
    for one in masks:
        coded = {"size": [one["height"], one["width"]], "counts": one["counts"]}
        assert np.array_equal(coco_mask.decode(coded).astype(bool), truth[one["mask_id"]])


def test_mlcroissant_finds_nothing_to_complain_of_and_reads_it(out, image, caplog):
    import mlcroissant

    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(out / "croissant.json"))
    told = [record.getMessage() for record in caplog.records]
    assert not [text for text in told if "error" in text.lower() or "not standard" in text], told
    truth = masks_of(image)
    rows = list(dataset.records("masks"))
    assert {row["masks/mask_id"] for row in rows} == truth.keys()
    for row in rows:
        coded = {"size": [row["masks/height"], row["masks/width"]], "counts": row["masks/counts"]}
        assert np.array_equal(coco_mask.decode(coded).astype(bool), truth[row["masks/mask_id"]])
    again = mlcroissant.Dataset(str(out / "croissant.json"))  # one keeps what it has read of another table
    pictures = {row["images/image_id"]: row["images/picture"] for row in again.records("images")}
    assert len(pictures) == 2
    with Picture.open(storage.full(image.display_path)) as display:
        assert np.array_equal(np.asarray(pictures[image.pk]), np.asarray(display))


def test_the_description_names_version_licence_and_files(full, tmp_path):
    full.licence = "CC BY 4.0"
    full.save()
    version, _ = version_freeze(dataset=full, note="", chosen=ExportFilter(), user=None, progress=silent)
    out = tmp_path / "out"
    exports.export_folder(
        dataset=full, export_format="parquet", out=out, progress=silent, options={}, version=version.number
    )
    told = json.loads((out / "croissant.json").read_text())
    assert (told["name"], told["license"][0]) == (full.name, "CC BY 4.0")
    assert (told["version"], told["identifier"]) == ("1.0.0", version.digest)
    for file in told["distribution"][:2]:
        assert file["sha256"] == storage.sha256_of(out / file["contentUrl"])


def test_a_damaged_mask_is_found_before_the_link_appears(full, tmp_path, monkeypatch):
    row = parquet.mask_row

    def wrong(image, name, mask):
        other = rle.encode(np.ones((image.height, image.width), bool))
        return row(image, name, mask) | {"counts": other["counts"]}

    monkeypatch.setattr(parquet, "mask_row", wrong)
    with pytest.raises(VerifyError):
        export(full, "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_every_column_is_described(out):
    told = json.loads((out / DESCRIPTION).read_text())
    for record_set, file in (("masks", "masks.parquet"), ("images", "images/metadata.parquet")):
        fields = next(one["field"] for one in told["recordSet"] if one["@id"] == record_set)
        names = [field["name"] for field in fields if field["name"] != "picture"]
        assert names == pq.read_schema(out / file).names
