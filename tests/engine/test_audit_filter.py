"""What an audit found of each mask chooses what goes out."""

from __future__ import annotations

import importlib
import uuid

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import TestCase

from annotation import jobkit
from annotation import jobs as annotation_jobs  # noqa: F401  binds the functions of the jobs
from annotation.exported import ExportFilter, export_records, export_size
from annotation.models import Mask, Task
from engine import jobs  # noqa: F401  binds the functions of the jobs
from modelzoo import rle
from tests.cast import add_image, add_mask, ellipse, mask_body


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


@pytest.fixture
def audited(cast, as_, url):
    """One image of the machine: a mask that Ben kept, one that he moved, one that he deleted, and one that he added."""
    image = add_image(cast.dataset)
    machine = {"stage": "fully_automatic", "source": "model", "created_by": None}
    kept, moved, deleted = (add_mask(image, ellipse(image, x=x, size=0.2), **machine) for x in (0.2, 0.5, 0.8))
    add_mask(add_image(cast.dataset, seed=1), **machine)
    Task.objects.all().delete()
    as_(cast.ana).post(f"{url}/audits/", {"size": 2, "source": "automatic"}, format="json")
    ben = as_(cast.ben)
    task = ben.post(f"/api/images/{image.pk}/task/", {"kind": "audit"}, format="json").json()
    better = ellipse(image, x=0.52, size=0.2)
    body = mask_body(image, better, parent=str(moved.uuid), task=task["id"], source="model_edited")
    assert ben.put(f"/api/masks/{uuid.uuid4()}/", body, format="json").status_code == 201
    ben.delete(f"/api/masks/{deleted.uuid}/")
    ben.put(f"/api/masks/{uuid.uuid4()}/", mask_body(image, ellipse(image, y=0.9), task=task["id"]), format="json")
    with TestCase.captureOnCommitCallbacks(execute=True):
        ben.post(f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 9, "answer": "done"})
    jobkit.run_pending()
    iou = rle.iou(moved.segmentation, rle.encode(better))
    assert 0.5 < iou < 0.95
    return {"image": image, "kept": kept, "now": Mask.objects.get(parent=moved), "iou": iou}


def chosen(cast, **filters):
    records = export_records(cast.dataset, ExportFilter.of(filters))
    return {mask.serial for _, masks in records for mask in masks}


def test_masks_go_out_by_what_an_audit_left_of_them(cast, audited):
    kept, now, iou = audited["kept"], audited["now"], audited["iou"]
    assert now.audit_iou == pytest.approx(iou, abs=1e-5)
    assert chosen(cast, audit_iou_min=0) == {kept.serial, now.serial}, "only masks that an audit looked at"
    assert chosen(cast, audit_iou_min=1) == {kept.serial}
    assert chosen(cast, audit_iou_max=0.95) == {now.serial}
    assert chosen(cast, audit_iou_min=now.audit_iou, audit_iou_max=now.audit_iou) == {now.serial}
    assert chosen(cast, audit_iou_min=0.97, audit_iou_max=0.98) == set()
    assert len(chosen(cast)) == 4


def test_a_correction_after_the_audit_is_not_what_the_audit_saw(cast, audited, as_):
    body = mask_body(audited["image"], ellipse(audited["image"], x=0.25), parent=str(audited["kept"].uuid))
    assert as_(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", body, format="json").status_code == 201
    assert chosen(cast, audit_iou_min=0) == {audited["now"].serial}


def test_the_page_and_the_command_filter_by_it(cast, audited, as_, url, tmp_path, capsys):
    size = as_(cast.vic).post(f"{url}/export-choices/", {"audit_iou_max": 0.95, "masked": True}, format="json")
    assert size.json() == {"images": 1, "masks": 1}
    plain = as_(cast.vic).post(f"{url}/export-choices/", {"audit_iou_min": None}, format="json")
    assert plain.json() == export_size(cast.dataset, ExportFilter())
    for wrong in (-0.1, 1.1, "nan", True, [0.5]):
        assert as_(cast.vic).post(f"{url}/export-choices/", {"audit_iou_min": wrong}, format="json").status_code == 400
    started = as_(cast.rae).post(f"{url}/exports/", {"format": "coco", "filters": {"audit_iou_min": 0.99}})
    assert started.status_code == 202
    jobkit.run_pending()
    told = as_(cast.rae).get(f"/api/jobs/{started.json()['id']}/").json()["result"]
    assert (told["masks"], told["filters"]) == (1, {"audit_iou_min": 0.99})
    arguments = ["--format", "coco", "--out", str(tmp_path / "out"), "--audit-iou-max", "0.95", "--masked"]
    call_command("export_dataset", cast.dataset.name, *arguments)
    assert "1 images, 1 masks" in capsys.readouterr().out


def test_audits_of_before_are_known_too(cast, audited):
    Mask.objects.update(audit_iou=None)
    importlib.import_module("engine.migrations.0013_audit_iou").keep(apps, None)
    assert chosen(cast, audit_iou_min=1) == {audited["kept"].serial}
    assert chosen(cast, audit_iou_max=0.95) == {audited["now"].serial}
