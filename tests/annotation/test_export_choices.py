"""What an export takes: filters, options, and what is refused, in the service, over HTTP and as a command."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotation import jobkit
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import UserError
from annotation.exported import CHUNK_MASKS, ExportFilter, export_records, export_size
from annotation.formats import registry
from annotation.models import Image, Job
from annotation.services import exports, packing
from tests.annotation.exporting import difficult_image, full_dataset  # noqa: F401  fixtures
from tests.annotation.test_round_trip import silent
from tests.cast import add_image, add_mask, ellipse


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
