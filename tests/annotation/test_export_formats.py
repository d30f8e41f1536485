"""Every export format, read with what other people would read it with."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image as Picture
from pycocotools.coco import COCO

from annotation import exported, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.formats import registry
from annotation.formats.geojson import ring_area
from annotation.models import Image, Mask
from annotation.services import packing
from modelzoo import rle
from tests.annotation.exporting import difficult_image, export, full_dataset, masks_of  # noqa: F401  fixtures
from tests.cast import add_image, add_mask, ellipse

NAMES = sorted(registry.EXPORTS)
KINDS = [(name, {}) for name in NAMES] + [
    ("coco", {"masks": "polygons"}),
    ("geojson", {"coordinates": "map"}),
    ("sa1b", {"layout": "shards"}),
    ("png", {"kind": "labels"}),
    ("png", {"kind": "binary"}),
    ("cutouts", {"kind": "rest"}),
    ("cutouts", {"kind": "inverse", "feather": 3}),
    ("video_cutouts", {"file": "mov"}),
    ("video_cutouts", {"file": "png", "feather": 2}),
]

NUMBERED = {"coco": "annotations.json", "coco_panoptic": "panoptic.json", "yolo": "data.yaml", "png": "labels.json"}


def rows_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "masks.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_a_category_that_is_new_since_the_writing_began_is_written_too(full, tmp_path, monkeypatch, name, options):
    known = exported.export_names

    def names_before(*asked):
        categories, licences = known(*asked)
        return [one for one in categories if one != "ring"], licences

    monkeypatch.setattr(exported, "export_names", names_before)
    out = export(full, name, tmp_path / "out", options)
    for document in [*out.glob("annotations.json"), *out.glob("panoptic.json")]:
        told = json.loads(document.read_text())
        assert "ring" in {one["name"] for one in told["categories"]}
        assert len({one["id"] for one in told["categories"]}) == len(told["categories"])


def numbers_told(out: Path) -> dict[str, int]:
    """Category -> number, as COCO, COCO panoptic, YOLO or PNG maps tell them."""
    (path,) = (path for name in NUMBERED.values() if (path := out / name).is_file())
    told = yaml.safe_load(path.read_text())  # JSON is YAML
    if path.name == "labels.json":
        return {name: int(value) for value, name in told.items() if name != "background"}
    rows = told["names"].items() if path.suffix == ".yaml" else [(row["id"], row["name"]) for row in told["categories"]]
    return {name: number for number, name in rows}


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize(
    "filters",
    [
        {"splits": ["held_out"]},
        {"licences": ["CC0"]},
        {"consents": ["refused"]},
        {"categories": ["zucchini"]},
        {"sources": ["imported"], "masked": True},
        {"statuses": ["accepted", "proposed"]},
    ],
    ids=str,
)
def test_a_category_has_the_same_number_in_every_selection(full, image, tmp_path, name, filters):
    """What was trained on one selection is evaluated on another. A refused image has a mask, too."""
    other, refused = full.images.get(split="held_out"), add_image(full, seed=3)
    add_mask(other, category="zucchini", source="imported")
    add_mask(refused, category="apple")
    Image.objects.filter(pk=other.pk).update(licence="CC0")
    Image.objects.filter(pk=refused.pk).update(consent="refused")
    everything = numbers_told(export(full, name, tmp_path / "everything"))
    assert {"apple", "guess", "object", "ring", "zucchini"} <= everything.keys()
    assert numbers_told(export(full, name, tmp_path / "chosen", **filters)) == everything


@pytest.mark.parametrize("kind", ["coco", "yolo", "labels"])
def test_a_mask_has_the_number_of_its_category_in_a_selection(full, tmp_path, kind):
    mask = add_mask(full.images.get(split="held_out"), category="zucchini")
    name, options = ("png", {"kind": kind}) if kind == "labels" else (kind, {})
    wanted = numbers_told(export(full, name, tmp_path / "everything", options))["zucchini"]
    out = export(full, name, tmp_path / "chosen", options, splits=["held_out"])
    if kind == "coco":
        (told,) = (row["category_id"] for row in json.loads((out / "annotations.json").read_text())["annotations"])
    elif kind == "yolo":
        told = int((out / rows_of(out)[0]["label"]).read_text().split()[0])
    else:
        told = int(np.asarray(Picture.open(out / rows_of(out)[0]["file"]))[rle.decode(mask.segmentation)].min())
    assert told == wanted


def test_coco_polygons_are_the_same_masks_for_pycocotools(full, image, tmp_path, capsys):
    read = COCO(str(export(full, "coco", tmp_path / "out", {"masks": "polygons"}) / "annotations.json"))
    truth = masks_of(image)
    assert read.anns.keys() == truth.keys()
    for serial, annotation in read.anns.items():
        assert np.array_equal(read.annToMask(annotation).astype(bool), truth[serial])
        assert isinstance(annotation["segmentation"], dict if annotation["iscrowd"] else list)
    ring = next(one for one in read.anns.values() if read.cats[one["category_id"]]["name"] == "ring")
    assert len(ring["segmentation"]) == 1, "the hole is joined to the ring around it"


def test_panoptic_pixels_name_their_segments(full, image, tmp_path):
    out = export(full, "coco_panoptic", tmp_path / "out")
    document = json.loads((out / "panoptic.json").read_text())
    annotation = next(one for one in document["annotations"] if one["image_id"] == image.pk)
    colours = np.asarray(Picture.open(out / "panoptic" / annotation["file_name"])).astype(int)
    ids = colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]
    for segment in annotation["segments_info"]:
        here = ids == segment["id"]
        assert segment["area"] == here.sum()
        coded = rle.encode(here)
        assert segment["bbox"] == rle.bbox(coded)
    named = {row["id"]: row["name"] for row in document["categories"]}
    assert named[next(s for s in annotation["segments_info"] if s["area"] == 1)["category_id"]] == "object"
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["masks"] + counts["left_out"] == 6
    assert counts["masks"] == len(annotation["segments_info"])


def test_yolo_is_what_ultralytics_would_draw(full, image, tmp_path):
    """Ultralytics fills outlines with OpenCV, which draws their border too: about, not exactly, the same mask."""
    add_mask(image, ellipse(image, x=0.5, y=0.5, size=0.45) & ~ellipse(image, size=0.3), category="big ring")
    out = export(full, "yolo", tmp_path / "out")
    data = yaml.safe_load((out / "data.yaml").read_text())
    assert (data["train"], data["test"]) == ("images/train", "images/test")
    assert "path" not in data, "Ultralytics takes the folder of this file"
    for row in rows_of(out):
        line = (out / row["label"]).read_text().splitlines()[row["line"]].split()
        assert data["names"][int(line[0])] == row["category"]
        assert (out / row["label"].replace("labels/", "images/")).with_suffix(".jpg").is_file()
        if row["category"] == "big ring":
            points = np.array(line[1:], float).reshape(-1, 2) * [image.width, image.height]
            drawn = cv2.fillPoly(np.zeros((image.height, image.width), np.uint8), [points.astype(np.int32)], 1)
            truth = rle.decode(Mask.objects.get(uuid=row["anymask"]["id"]).segmentation)
            assert rle.mask_iou(drawn.astype(bool), truth) > 0.7
            assert not drawn[image.height // 2, image.width // 2], "the hole stays"


def test_png_files_hold_the_masks(full, image, tmp_path):
    truth = {str(mask.uuid): rle.decode(mask.segmentation) for mask in image.masks.filter(status="accepted")}
    binary = export(full, "png", tmp_path / "binary", {"kind": "binary"})
    rows = rows_of(binary)
    assert {row["anymask"]["id"] for row in rows} == truth.keys()
    for row in rows:
        drawn = np.asarray(Picture.open(binary / row["file"]))
        assert set(np.unique(drawn)) <= {0, 255}
        assert np.array_equal(drawn == 255, truth[row["anymask"]["id"]])
    instances = export(full, "png", tmp_path / "instances")
    canvas = np.asarray(Picture.open(instances / rows_of(instances)[0]["file"]))
    assert canvas.dtype == np.uint16
    for row in rows_of(instances):
        here = canvas == row["value"]
        assert here.sum() == row["pixels"]
        assert not (here & ~truth[row["anymask"]["id"]]).any()
    assert ((canvas > 0) == np.any(list(truth.values()), axis=0)).all()
    labels = export(full, "png", tmp_path / "labels", {"kind": "labels"})
    names = json.loads((labels / "labels.json").read_text())
    assert names["0"] == "background"
    values = {row["category"]: row["value"] for row in rows_of(labels)}
    assert all(names[str(value)] == category for category, value in values.items())


def test_cut_outs_show_the_object_and_its_inverse(full, image, tmp_path):
    colours = np.asarray(Picture.open(storage.full(image.display_path)).convert("RGB"))
    for row in rows_of(export(full, "cutouts", tmp_path / "object")):
        mask = Mask.objects.get(uuid=row["anymask"]["id"])
        x, y, w, h = mask.bbox
        cut = np.asarray(Picture.open(tmp_path / "object" / row["file"]))
        assert (cut.shape, row["offset"]) == ((h, w, 4), [x, y])
        assert np.array_equal(cut[..., 3] == 255, rle.decode(mask.segmentation)[y : y + h, x : x + w])
        seen = cut[..., 3] > 0
        assert np.array_equal(cut[seen][:, :3], colours[y : y + h, x : x + w][seen])
    for row in rows_of(export(full, "cutouts", tmp_path / "inverse", {"kind": "inverse"})):
        mask = Mask.objects.get(uuid=row["anymask"]["id"])
        drawn = np.asarray(Picture.open(tmp_path / "inverse" / row["file"]))
        assert np.array_equal(drawn == 0, rle.decode(mask.segmentation))
    for row in rows_of(export(full, "cutouts", tmp_path / "soft", {"feather": 3})):
        if row["category"] == "ring":
            assert len(np.unique(np.asarray(Picture.open(tmp_path / "soft" / row["file"]))[..., 3])) > 4


@pytest.mark.parametrize("feather", [0, 2])
@pytest.mark.parametrize("kind", ["object", "rest"])
def test_what_is_transparent_in_a_cut_out_is_in_no_colour_either(full, tmp_path, kind, feather):
    """A program that drops transparency shows what lies under it: the object, or who stands beside it."""
    out = export(full, "cutouts", tmp_path / "out", {"kind": kind, "feather": feather})
    cuts = [np.asarray(Picture.open(out / row["file"])) for row in rows_of(out)]
    assert any((cut[..., 3] == 0).any() for cut in cuts)
    assert not any(cut[cut[..., 3] == 0].any() for cut in cuts)


def test_geojson_has_holes(full, image, tmp_path):
    out = export(full, "geojson", tmp_path / "out")
    documents = [json.loads(path.read_text()) for path in sorted((out / "geojson").iterdir())]
    assert [len(one["features"]) for one in documents] == [6, 0]
    ring = next(one for one in documents[0]["features"] if one["properties"]["category"] == "ring")
    ((outer, hole),) = ring["geometry"]["coordinates"]
    assert outer[0] == outer[-1]
    drawn = np.zeros((image.height, image.width), np.uint8)
    centres = np.indices(drawn.shape).reshape(2, -1).T[:, ::-1] + 0.5
    inside = [
        cv2.pointPolygonTest(np.array(outer, np.float32), (x, y), False) > 0
        and cv2.pointPolygonTest(np.array(hole, np.float32), (x, y), False) < 0
        for x, y in centres.tolist()
    ]
    assert np.array_equal(np.reshape(inside, drawn.shape), rle.decode(Mask.objects.get(category="ring").segmentation))


@pytest.mark.parametrize(("crs", "name"), [("EPSG:32632", "urn:ogc:def:crs:EPSG::32632"), ("a local grid",) * 2])
def test_geojson_of_a_geotiff_lies_on_the_map(full, image, tmp_path, crs, name):
    """North up, half a metre a pixel: a corner (x, y) lies at 500 000 + x / 2, 5 400 000 - y / 2."""
    transform = [0.5, 0.0, 500_000.0, 0.0, -0.5, 5_400_000.0]
    Image.objects.filter(pk=image.pk).update(georeference={"crs": crs, "transform": transform, "pixel_is": "area"})
    pixels, on_map = (export(full, "geojson", tmp_path / kind, {"coordinates": kind}) for kind in ("pixels", "map"))
    (told, elsewhere), (plain, _) = (
        [json.loads(path.read_text()) for path in sorted((out / "geojson").iterdir())] for out in (on_map, pixels)
    )
    assert told["crs"]["properties"]["name"] == name
    assert "crs" not in plain
    assert "crs" not in elsewhere, "the other image has no place"
    for here, there in zip(plain["features"], told["features"], strict=True):
        for part, moved in zip(here["geometry"]["coordinates"], there["geometry"]["coordinates"], strict=True):
            for ring, other in zip(part, moved, strict=True):
                assert {(500_000 + x / 2, 5_400_000 - y / 2) for x, y in ring} == {(x, y) for x, y in other}
                assert ring_area(other) == ring_area(ring) / 4, "in the same sense of rotation, holes the other way"


def test_a_place_that_is_a_line_is_none(full, image, tmp_path):
    flat = {"crs": "EPSG:32632", "transform": [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], "pixel_is": "area"}
    Image.objects.filter(pk=image.pk).update(georeference=flat)
    out = export(full, "geojson", tmp_path / "out", {"coordinates": "map"})
    assert not any("crs" in json.loads(path.read_text()) for path in (out / "geojson").iterdir())


def test_shards_hold_what_the_files_hold(full, tmp_path):
    files, shards = export(full, "sa1b", tmp_path / "1"), export(full, "sa1b", tmp_path / "2", {"layout": "shards"})
    with tarfile.open(shards / "sa_000000.tar") as tar:
        for member in tar:
            assert tar.extractfile(member).read() == (files / member.name).read_bytes()
        assert len(tar.getmembers()) == 4


@pytest.mark.parametrize(("name", "options"), KINDS, ids=str)
def test_the_same_masks_give_the_same_archive(full, name, options, tmp_path):
    archives = []
    for number in (1, 2):
        out = export(full, name, tmp_path / f"{number}", options)
        (tmp_path / f"work{number}").mkdir()
        packed = packing.pack(out, tmp_path / f"work{number}", lambda share: None)
        packing.verify(packed, out, lambda share: None)
        archives.append(packed.read_bytes())
    assert archives[0] == archives[1]


def test_many_files_are_packed_as_tar(full, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_ZIP_FILES", 3)
    out = export(full, "png", tmp_path / "out", {"kind": "binary"})
    packed = packing.pack(out, tmp_path, lambda share: None)
    assert packed.suffix == ".tar"
    packing.verify(packed, out, lambda share: None)
    with tarfile.open(packed) as tar:
        assert sum(1 for _ in tar) == sum(1 for path in out.rglob("*") if path.is_file())


def test_a_damaged_archive_is_noticed(full, tmp_path):
    out = export(full, "coco", tmp_path / "out")
    packed = packing.pack(out, tmp_path, lambda share: None)
    data = bytearray(packed.read_bytes())
    picture = next(path for path in sorted(out.rglob("*")) if path.suffix in (".png", ".jpg")).read_bytes()
    data[data.index(picture) + len(picture) // 2] ^= 255  # pictures are stored as they are
    packed.write_bytes(data)
    with pytest.raises((packing.VerifyError, zipfile.BadZipFile)):
        packing.verify(packed, out, lambda share: None)
