"""Export and import: what comes out is what was made, read by pycocotools; what goes in twice is there once."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pycocotools import mask as coco_mask  # noqa: TID251  what we are compared with
from pycocotools.coco import COCO

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.formats import registry, sa1b
from annotation.formats.manifest import VerifyError
from annotation.models import Dataset, Image, Job, Mask, Member
from annotation.services import exports, imports
from modelzoo import rle
from tests.cast import add_image, add_mask, add_tracks, ellipse, picture


def silent(fraction, message):
    """Progress that nobody looks at."""


def shapes(image) -> dict[str, np.ndarray]:
    height, width = image.height, image.width
    ring = ellipse(image, size=0.4) & ~ellipse(image, size=0.2)
    pixel = np.zeros((height, width), bool)
    pixel[height - 1, width - 1] = True
    parts = ellipse(image, x=0.2, size=0.1) | ellipse(image, x=0.8, size=0.1)
    border = np.zeros((height, width), bool)
    border[0], border[:, 0] = True, True
    return {
        "ring": ring,
        "pixel": pixel,
        "whole": np.ones((height, width), bool),
        "parts": parts,
        "border": border,
        "comb": np.indices((height, width)).sum(0) % 2 == 0,
    }


@pytest.fixture
def full(cast) -> Dataset:
    """Two images: one with every difficult mask, one with none; and masks that do not count."""
    image = add_image(cast.dataset, seed=1)
    for name, array in shapes(image).items():
        add_mask(image, array, category=name if name != "pixel" else "", crowd=name == "parts")
    add_mask(image, status="deleted")
    add_mask(image, status="superseded")
    add_mask(image, status="proposed")
    add_image(cast.dataset, seed=2)
    Image.objects.update(licence="CC0-1.0", credit="Ana")
    return cast.dataset


def content(dataset) -> dict:
    """What must survive: pixels, area, box and category of every accepted mask, by image."""
    return {
        image.sha256: sorted(
            (mask.segmentation["counts"], mask.area, tuple(mask.bbox), mask.category, mask.crowd)
            for mask in image.masks.filter(status="accepted")
        )
        for image in dataset.images.all()
    }


def of_pycocotools(dataset) -> None:
    """Area, box and IoU of what is stored are what pycocotools computes from the pixels that were drawn."""
    drawn = list(shapes(dataset.images.first()).values())
    for mask in Mask.objects.filter(image__dataset=dataset):
        stored = dict(mask.segmentation)
        assert coco_mask.area(stored) == mask.area
        assert coco_mask.toBbox(stored).tolist() == mask.bbox
        meant = [coco_mask.encode(np.asfortranarray(array.astype(np.uint8))) for array in drawn]
        assert coco_mask.iou([stored], meant, [0] * len(meant)).max() == 1.0


def export(dataset, file_format, tmp_path, options=None) -> Path:
    out = tmp_path / f"out-{file_format}"
    exports.export_folder(dataset=dataset, export_format=file_format, out=out, progress=silent, options=options or {})
    return out


def test_coco_is_what_pycocotools_reads(full, tmp_path, capsys):
    out = export(full, "coco", tmp_path)
    read = COCO(str(out / "annotations.json"))
    image = full.images.get(masks__category="ring")
    masks = {mask.serial: mask for mask in image.masks.filter(status="accepted")}
    assert len(read.anns) == len(masks) == 6
    for annotation in read.anns.values():
        mask = masks[annotation["id"]]
        assert np.array_equal(read.annToMask(annotation).astype(bool), rle.decode(mask.segmentation))
        assert (annotation["area"], annotation["bbox"]) == (mask.area, mask.bbox)
        assert read.cats[annotation["category_id"]]["name"] == (mask.category or "object")
    assert {entry["name"] for entry in read.dataset["licenses"]} == {"CC0-1.0"}
    for entry in read.imgs.values():
        assert (out / "images" / entry["file_name"]).is_file()


def test_sa1b_has_the_exact_fields_and_the_written_rule(full, tmp_path):
    image = full.images.get(masks__category="ring")
    scored = add_mask(
        image,
        ellipse(image, size=0.1),
        source="model",
        predicted_iou=0.75,
        stability_score=0.5,
        crop_box=[1, 2, 30, 20],
        point_coords=[[30.5, 20.5]],
    )
    clicked = add_mask(
        image,
        ellipse(image, size=0.15),
        source="model_edited",
        predicted_iou=0.3,
        prompts=[{"type": "point", "x": 1, "y": 1, "label": 0}, {"type": "point", "x": 30, "y": 20, "label": 1}],
    )
    out = export(full, "sa1b", tmp_path)
    document = json.loads((out / f"sa_{image.pk}.json").read_text())
    assert set(document["image"]) == {"image_id", "width", "height", "file_name"}
    assert (out / document["image"]["file_name"]).is_file()
    by_id = {annotation["id"]: annotation for annotation in document["annotations"]}
    assert len(by_id) == 8
    for annotation in by_id.values():
        assert list(annotation) == [
            "id",
            "segmentation",
            "bbox",
            "area",
            "predicted_iou",
            "stability_score",
            "crop_box",
            "point_coords",
        ]
        (x, y), mask = annotation["point_coords"][0], rle.decode(annotation["segmentation"])
        assert mask[int(y), int(x)], "the point lies inside"
    hand = by_id[Mask.objects.get(category="ring").serial]
    assert (hand["predicted_iou"], hand["stability_score"]) == (1.0, 1.0)
    assert hand["crop_box"] == [0, 0, image.width, image.height]
    by_model = by_id[scored.serial]
    assert (by_model["predicted_iou"], by_model["stability_score"]) == (0.75, 0.5)
    assert (by_model["crop_box"], by_model["point_coords"]) == ([1, 2, 30, 20], [[30.5, 20.5]])
    assert by_id[clicked.serial]["predicted_iou"] == 1.0, "a person changed it: the model's word is about another mask"
    assert by_id[clicked.serial]["point_coords"] == [[30.0, 20.0]]


@pytest.mark.parametrize(
    ("file_format", "options"), [("coco", {}), ("coco", {"masks": "polygons"}), ("sa1b", {})], ids=str
)
def test_export_import_export_is_the_same(full, tmp_path, file_format, options, cast):
    out = export(full, file_format, tmp_path, options)
    copy = Dataset.objects.create(name="Copy")
    arguments = {"dataset": copy, "folder": out, "import_format": "auto", "user": cast.ana, "progress": silent}
    report = imports.import_folder(**arguments)
    assert report.as_json() == {
        "format": file_format,
        "images_new": 2,
        "images_known": 0,
        "masks_new": 6,
        "masks_known": 0,
        "boxes_new": 0,
        "boxes_known": 0,
        "refused": 0,
        "refusals": [],
    }
    # The display file is what was exported: its bytes, and so its digest, are those of the copy's original.
    before = sorted(content(full).values())
    after = sorted(content(copy).values())
    if file_format == "sa1b":  # has no field for categories and crowds
        before = [[(*row[:3], "", False) for row in rows] for rows in before]
    assert after == sorted(sorted(rows) for rows in before)
    of_pycocotools(copy)
    again = imports.import_folder(**arguments)
    assert (again.images_new, again.images_known, again.masks_new, again.masks_known) == (0, 2, 0, 6)
    assert copy.images.count() == 2
    if file_format == "coco":
        assert set(copy.images.values_list("licence", "credit")) == {("CC0-1.0", "Ana")}
        assert set(copy.images.values_list("file_name")) == set(full.images.values_list("file_name"))


def test_the_same_masks_give_the_same_bytes(full, tmp_path):
    one, two = export(full, "coco", tmp_path / "1"), export(full, "coco", tmp_path / "2")
    for path in one.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


@pytest.mark.parametrize("name", sorted(registry.EXPORTS))
def test_a_damaged_export_is_never_offered(full, tmp_path, name, monkeypatch):
    """Something goes wrong between writing and reading: no folder, no archive, and the job says unexpected."""
    real = registry.EXPORTS[name]

    def damage(folder, counts):
        victim = next(path for path in sorted(folder.rglob("*")) if path.suffix in (".jpg", ".png", ".webm"))
        victim.unlink()
        victim.write_bytes(b"half")
        real.verify(folder, counts)

    add_tracks(full)
    monkeypatch.setitem(registry.EXPORTS, name, replace(real, verify=damage))
    with pytest.raises(VerifyError):
        export(full, name, tmp_path)
    assert not (tmp_path / f"out-{name}").exists()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("file_format", ["coco", "sa1b"])
def test_export_by_the_page(full, as_, cast, file_format):
    client = as_(cast.rae)
    url = f"/api/datasets/{full.pk}/exports/"
    started = client.post(url, {"format": file_format})
    assert started.status_code == 202
    assert client.post(url, {"format": file_format}).json()["id"] == started.json()["id"], "one at a time"
    download = f"/api/exports/{started.json()['id']}/download/"
    assert client.get(download).status_code == 404
    jobkit.run_pending()
    job = client.get(f"/api/jobs/{started.json()['id']}/").json()
    assert (job["state"], job["progress"]) == ("succeeded", 1.0), job
    assert (job["result"]["images"], job["result"]["masks"], job["result"]["verified"]) == (2, 6, True)
    answer = as_(cast.vic).get(download)
    assert answer["Content-Disposition"] == f'attachment; filename="fruit-{file_format}.zip"'
    data = b"".join(answer.streaming_content)
    assert len(data) == job["result"]["bytes"]
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert "manifest.json" in names


def test_an_empty_dataset_is_not_exported(cast, as_):
    job = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/exports/", {"format": "coco"}).json()
    jobkit.run_pending()
    error = as_(cast.ana).get(f"/api/jobs/{job['id']}/").json()["error"]
    assert error["code"] == "dataset_empty"


def archive_of(files: dict[str, bytes]) -> SimpleUploadedFile:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return SimpleUploadedFile("set.zip", buffer.getvalue())


def do_import(cast, as_, files, **fields):
    answer = as_(cast.ana).post(
        f"/api/datasets/{cast.dataset.pk}/imports/", {"file": archive_of(files), **fields}, format="multipart"
    )
    assert answer.status_code == 202, answer.json()
    jobkit.run_pending()
    return as_(cast.ana).get(f"/api/jobs/{answer.json()['id']}/").json()


def coco_document(**changes) -> dict:
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 60, "height": 40, "license": 1}],
        "categories": [{"id": 1, "name": "pear"}],
        "licenses": [{"id": 1, "name": "CC BY 4.0"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[5, 5, 30, 5, 30, 30, 5, 30]]},
            {"id": 2, "image_id": 7, "category_id": 1, "segmentation": {"size": [40, 60], "counts": [0, 100, 2300]}},
        ],
        **changes,
    }


def test_import_by_the_page_itemises_what_it_refuses(cast, as_, data_folder):
    document = coco_document()
    hostile = [
        {"id": 3, "image_id": 7, "segmentation": {"size": [40, 60], "counts": "5"}},
        {"id": 4, "image_id": 7, "segmentation": [[1, 2, 3, 4, 5, float("nan")]]},
        {"id": 5, "image_id": 99, "segmentation": [[5, 5, 30, 5, 30, 30]]},
        {"id": 6, "image_id": {"a": 1}},
        "not an annotation",
        {"id": 8, "image_id": 7, "segmentation": None},
        {"id": 9, "image_id": 7, "segmentation": {"size": [40, 60], "counts": [2400]}},
    ]
    document["annotations"] += hostile
    document["images"] += [
        {"id": 8, "file_name": "missing.jpg", "width": 60, "height": 40},
        {"id": 9, "file_name": "../../../etc/passwd", "width": 60, "height": 40},
        {"id": 10, "file_name": "bad.jpg", "width": 60, "height": 40},
        {"id": 11, "file_name": "a.jpg"},
        {"id": 12, "file_name": "c.jpg", "width": 40, "height": 60},
        "not an image",
    ]
    document["annotations"].append({"id": 20, "image_id": 12, "segmentation": [[5, 5, 30, 5, 30, 30, 5, 30]]})
    files = {
        "annotations.json": json.dumps(document).encode(),
        "images/a.jpg": picture(),
        "images/bad.jpg": b"no picture",
        "images/c.jpg": picture(seed=3),
    }
    job = do_import(cast, as_, files)
    assert job["state"] == "succeeded", job
    result = job["result"]
    assert (result["images_new"], result["masks_new"]) == (2, 2)
    assert result["refused"] == len(result["refusals"]) == len(hostile) + 6
    assert all(row["message"].endswith(".") for row in result["refusals"])
    assert {mask.category for mask in Mask.objects.all()} == {"pear"}
    assert set(Image.objects.values_list("file_name", "licence")) == {("a.jpg", "CC BY 4.0"), ("c.jpg", "")}
    assert not (data_folder / "imports" / job["id"]).exists()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"images": 3, "annotations": {}}',
        b'{"images": [], "annotations": []}',
        b"[" * 200_000,
        b'{"images": [[]], "annotations": [[]], "categories": [[]], "licenses": {"a": 1}}',
        b'{"image": {"image_id": 1}, "annotations": 3}',
        b'{"image": {"file_name": "a.jpg", "width": "60", "height": 40}, "annotations": []}',
        b'{"image": {"file_name": "a.jpg", "width": 60, "height": 40}, "annotations": [{"segmentation": {"size": 1}}]}',
        "\ufeff{}".encode(),
        b"\xff\xfe{}",
    ],
)
def test_hostile_documents_never_crash_an_import(cast, as_, document):
    job = do_import(cast, as_, {"x.json": document, "a.jpg": picture()})
    assert job["state"] in ("succeeded", "failed")
    assert job["error"] is None or job["error"]["code"] != "unexpected", job
    assert Mask.objects.count() == 0


def test_pictures_alone(cast, as_):
    job = do_import(cast, as_, {"x/a.jpg": picture(seed=1), "b.png": picture(seed=2, kind="PNG"), "c.txt": b"no"})
    assert (job["result"]["images_new"], job["result"]["refused"]) == (2, 1)


def test_what_is_no_archive_is_refused_at_once(cast, as_):
    body = {"file": SimpleUploadedFile("x.zip", b"no archive"), "format": "auto"}
    answer = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/imports/", body, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "not_an_archive")
    assert Job.objects.count() == 0


def test_an_import_that_was_killed_goes_on(full, tmp_path, cast, monkeypatch):
    """It dies after the first image; the second run completes it and nothing is there twice."""
    out = export(full, "coco", tmp_path)
    copy = Dataset.objects.create(name="Copy")
    Member.objects.create(dataset=copy, user=cast.ana, role="lead")

    def die(fraction, message):
        raise KeyboardInterrupt

    arguments = {"dataset": copy, "folder": out, "import_format": "auto", "user": cast.ana}
    with pytest.raises(KeyboardInterrupt):
        imports.import_folder(**arguments, progress=die)
    assert copy.images.count() == 1
    imports.import_folder(**arguments, progress=silent)
    assert copy.images.count() == 2
    assert Mask.objects.filter(image__dataset=copy).count() == 6


def test_selectors_read_in_constant_queries(cast, as_, django_assert_max_num_queries):
    for seed in range(12):
        add_mask(add_image(cast.dataset, seed=seed))
    client = as_(cast.ana)
    for url in (
        "/api/datasets/",
        f"/api/datasets/{cast.dataset.pk}/images/",
        f"/api/datasets/{cast.dataset.pk}/members/",
        f"/api/datasets/{cast.dataset.pk}/jobs/",
    ):
        with django_assert_max_num_queries(9):
            assert client.get(url).status_code == 200


def test_sa1b_writer_links_the_picture(image, tmp_path):
    mask = add_mask(image)
    names = sa1b.write_image(tmp_path, image, [mask])
    assert names == [f"sa_{image.pk}.json", f"sa_{image.pk}.jpg"]
    assert (tmp_path / names[1]).read_bytes() == storage.full(image.display_path).read_bytes()
