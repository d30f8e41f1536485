"""Every export format, read with what other people would read it with."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image as Picture
from pycocotools.coco import COCO

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import UserError
from annotation.exported import CHUNK_MASKS, ExportFilter, export_records, export_size
from annotation.formats import registry
from annotation.formats.geojson import ring_area
from annotation.models import Image, Job, Mask
from annotation.services import exports, packing
from modelzoo import rle
from tests.annotation.test_round_trip import shapes, silent
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
]


@pytest.fixture
def full(cast):
    """Two images: one with every difficult mask, one with none; and masks that do not count."""
    image = add_image(cast.dataset, seed=1, split="train")
    for name, array in shapes(image).items():
        add_mask(image, array, category=name if name != "pixel" else "", crowd=name == "parts")
    add_mask(image, status="deleted")
    add_mask(image, status="proposed", source="model", model="a" * 64, stage="semi_automatic", category="guess")
    add_image(cast.dataset, seed=2, split="held_out")
    return cast.dataset


@pytest.fixture
def image(full):
    return full.images.get(masks__category="ring")


def export(dataset, name, out: Path, options=None, **filters) -> Path:
    chosen = ExportFilter.of(filters)
    exports.export_folder(
        dataset=dataset, export_format=name, out=out, progress=silent, options=options or {}, chosen=chosen
    )
    return out


def masks_of(image) -> dict[int, np.ndarray]:
    return {mask.serial: rle.decode(mask.segmentation) for mask in image.masks.filter(status="accepted")}


def rows_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "masks.jsonl").read_text().splitlines()]


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
        assert np.array_equal(cut[..., :3], colours[y : y + h, x : x + w])
    for row in rows_of(export(full, "cutouts", tmp_path / "inverse", {"kind": "inverse"})):
        mask = Mask.objects.get(uuid=row["anymask"]["id"])
        drawn = np.asarray(Picture.open(tmp_path / "inverse" / row["file"]))
        assert np.array_equal(drawn == 0, rle.decode(mask.segmentation))
    for row in rows_of(export(full, "cutouts", tmp_path / "soft", {"feather": 3})):
        if row["category"] == "ring":
            assert len(np.unique(np.asarray(Picture.open(tmp_path / "soft" / row["file"]))[..., 3])) > 4


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


@pytest.mark.parametrize(
    ("filters", "images", "masks"),
    [
        ({}, 2, 6),
        ({"statuses": []}, 2, 6),
        ({"statuses": ["accepted", "proposed"]}, 2, 7),
        ({"statuses": ["deleted"]}, 2, 0),
        ({"statuses": ["proposed"], "sources": ["model"]}, 2, 1),
        ({"sources": ["hand"]}, 2, 6),
        ({"sources": ["imported"]}, 2, 0),
        ({"categories": ["ring", ""]}, 2, 2),
        ({"statuses": ["proposed"], "models": ["a" * 64], "stages": ["semi_automatic"]}, 2, 1),
        ({"splits": ["held_out"]}, 1, 0),
        ({"masked": True}, 1, 6),
        ({"masked": True, "categories": ["none such"]}, 0, 0),
        ({"licences": ["CC0"]}, 1, 6),
        ({"licences": [""]}, 1, 0),
        ({"consents": ["refused"]}, 0, 0),
        ({"audited": True}, 1, 6),
    ],
    ids=str,
)
def test_filters_choose(full, image, filters, images, masks, monkeypatch):
    Image.objects.filter(pk=image.pk).update(licence="CC0")
    monkeypatch.setattr("annotation.ports._audited", lambda dataset_id: [image.pk])
    chosen = ExportFilter.of(filters)
    assert export_size(full, chosen) == {"images": images, "masks": masks}
    records = list(export_records(full, chosen))
    assert (len(records), sum(len(mine) for _, mine in records)) == (images, masks)


def test_images_without_consent_go_out_only_by_name(full, image):
    Image.objects.filter(pk=image.pk).update(consent="refused")
    assert export_size(full, ExportFilter()) == {"images": 1, "masks": 0}
    assert export_size(full, ExportFilter.of({"consents": ["refused"]})) == {"images": 1, "masks": 6}


def test_masks_are_read_a_few_at_a_time(cast, monkeypatch, django_assert_max_num_queries):
    """Images with many masks are read by themselves; what comes out is in order all the same."""
    assert CHUNK_MASKS < 10_000
    monkeypatch.setattr("annotation.exported.CHUNK_MASKS", 3)
    images = [add_image(cast.dataset, seed=seed) for seed in range(4)]
    for image, count in zip(images, (1, 5, 0, 2), strict=True):
        for number in range(count):
            add_mask(image, ellipse(image, size=0.1 + 0.02 * number))
    with django_assert_max_num_queries(7):
        records = list(export_records(cast.dataset, ExportFilter()))
    assert [(image.pk, len(masks)) for image, masks in records] == [
        (image.pk, count) for image, count in zip(images, (1, 5, 0, 2), strict=True)
    ]
    assert all(list(masks) == sorted(masks, key=lambda mask: mask.serial) for _, masks in records)


def test_the_page_offers_what_there_is(full, as_, cast):
    formats = as_(cast.vic).get("/api/formats/").json()
    assert [one["name"] for one in formats["exports"]] == list(registry.EXPORTS)
    assert [one["name"] for one in formats["imports"]] == list(registry.IMPORTS)
    assert all(one["about"].endswith(".") for one in (*formats["exports"], *formats["imports"]))
    choices = as_(cast.vic).get(f"/api/datasets/{full.pk}/export-choices/").json()
    assert {row["value"]: row["count"] for row in choices["splits"]} == {"train": 1, "held_out": 1}
    assert {row["value"] for row in choices["statuses"]} == {"accepted", "proposed"}
    size = as_(cast.vic).post(f"/api/datasets/{full.pk}/export-choices/", {"categories": ["ring"]}, format="json")
    assert size.json() == {"images": 2, "masks": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"format": "none"},
        {"format": "coco", "options": {"masks": "circles"}},
        {"format": "coco", "options": {"unknown": 1}},
        {"format": "cutouts", "options": {"feather": 51}},
        {"format": "cutouts", "options": {"feather": "2"}},
        {"format": "cutouts", "options": {"feather": True}},
        {"format": "coco", "options": []},
        {"format": "coco", "filters": {"stages": ["none"]}},
        {"format": "coco", "filters": {"statuses": ["deleted"]}},
        {"format": "coco", "filters": {"categories": [["x"]]}},
        {"format": "coco", "filters": {"categories": ["x"] * 1000}},
        {"format": "coco", "filters": 3},
    ],
    ids=str,
)
def test_wrong_choices_are_sentences(full, as_, cast, body):
    answer = as_(cast.rae).post(f"/api/datasets/{full.pk}/exports/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["message"].endswith(".")
    assert not full.jobs.exists()


def test_other_choices_are_another_export(full, as_, cast):
    client, url = as_(cast.rae), f"/api/datasets/{full.pk}/exports/"
    bodies = [
        {"format": "coco"},
        {"format": "coco", "options": {"masks": "polygons"}},
        {"format": "coco", "filters": {"categories": ["ring"]}},
        {"format": "coco", "options": {"masks": "rle"}, "filters": {"categories": []}},
    ]
    jobs = [client.post(url, body, format="json").json()["id"] for body in bodies]
    assert len(set(jobs[:3])) == 3
    assert jobs[3] == jobs[0], "the same by other words"
    jobkit.run_pending()
    results = [client.get(f"/api/jobs/{job}/").json()["result"] for job in jobs[:3]]
    assert [result["masks"] for result in results] == [6, 6, 1]
    assert results[2]["filters"] == {"categories": ["ring"]}
    data = b"".join(client.get(f"/api/exports/{jobs[2]}/download/").streaming_content)
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("manifest.json"))
    assert (manifest["filters"], manifest["options"]) == ({"categories": ["ring"]}, {"masks": "rle"})


def test_an_export_that_is_killed_starts_anew_and_leaves_nothing(full, as_, cast, monkeypatch, data_folder):
    """It dies after everything was written, before the archive was read again."""
    started = as_(cast.rae).post(f"/api/datasets/{full.pk}/exports/", {"format": "coco"}, format="json").json()
    real = packing.verify

    def killed(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "verify", killed)
    with pytest.raises(KeyboardInterrupt):
        jobkit.run_pending()
    assert not (data_folder / "exports").exists()
    assert as_(cast.rae).get(f"/api/exports/{started['id']}/download/").status_code == 404
    monkeypatch.setattr(packing, "verify", real)
    Job.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    jobkit.sweep()
    jobkit.run_pending()
    assert as_(cast.rae).get(f"/api/exports/{started['id']}/download/").status_code == 200
    assert not list((data_folder / "work").iterdir())


def test_nothing_like_that(full):
    with pytest.raises(UserError) as caught:
        exports.export_write(
            dataset=full,
            export_format="coco",
            folder=Path("/nowhere"),
            progress=silent,
            chosen=ExportFilter.of({"categories": ["none such"], "masked": True}),
        )
    assert caught.value.code == "nothing_chosen"


def test_the_command_takes_the_same_choices(full, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--format", "cutouts", "--option", "feather=2", "--category", "ring", "--masked", "--out", str(out)]
    call_command("export_dataset", "Fruit", *arguments)
    assert "1 images, 1 masks" in capsys.readouterr().out
    with pytest.raises(CommandError, match="choose"):
        call_command("export_dataset", "Fruit", "--format", "coco", "--option", "masks=x", "--out", str(tmp_path / "b"))
