"""Boxes of a detector: kept as questions, answered by the serving model with proposals, once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from annotation import jobkit, jobs  # noqa: F401  what a worker imports
from annotation.models import BoxPrompt, Image, Job, Mask
from annotation.services import imports
from engine import boxes
from engine import jobs as engine_jobs  # noqa: F401  the same
from modelzoo import rle
from tests.cast import add_image, add_mask, ellipse, picture
from tests.engine.conftest import version_row

WIDTH, HEIGHT = 60, 40
IMAGES = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
    "categories": [{"id": 1, "name": "pear"}],
}
BOX = {"image_id": 7, "category_id": 1, "bbox": [10, 8, 30, 20]}
BAD = [
    {**BOX, "bbox": [10, 8, 0, 20]},
    {**BOX, "bbox": [1e300, 8, 30, 20]},
    {**BOX, "bbox": [100, 8, 30, 20]},
    {**BOX, "bbox": "x"},
    {**BOX, "bbox": None},
]


@pytest.fixture
def bring(cast, tmp_path, django_capture_on_commit_callbacks):
    """Import these documents with one picture; the report."""

    def one(**documents):
        (tmp_path / "a.jpg").write_bytes(picture())
        for name, content in documents.items():
            (tmp_path / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
        with django_capture_on_commit_callbacks(execute=True):
            report = imports.import_folder(
                dataset=cast.dataset, folder=tmp_path, import_format="auto", user=cast.ana, progress=lambda *_: None
            )
        return report.as_json()

    return one


def test_annotations_without_a_mask_are_boxes(bring):
    mask = {**BOX, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    report = bring(boxes={**IMAGES, "annotations": [BOX, mask, {**BOX, "bbox": [-5, -5, 20, 20]}, *BAD]})
    assert (report["masks_new"], report["boxes_new"], report["refused"]) == (1, 2, len(BAD)), report
    rows = BoxPrompt.objects.values_list("bbox", "category", "answered")
    assert list(rows) == [([10, 8, 30, 20], "pear", False), ([0, 0, 15, 15], "pear", False)]


def test_a_list_of_detections_belongs_to_the_images_beside_it(bring):
    found = [{**BOX, "score": 0.75}, {**BOX, "image_id": 99, "score": 1}, 3]
    report = bring(images=IMAGES, detections=found)
    assert (report["format"], report["boxes_new"]) == ("coco", 1), report
    assert {row["code"] for row in report["refusals"]} == {"image_unknown", "annotation_malformed"}
    assert BoxPrompt.objects.get().score == 0.75
    again = bring(images=IMAGES, detections=found)
    assert (again["boxes_new"], again["boxes_known"]) == (0, 1), "twice is once"


def test_detections_alone_or_damaged_cost_only_themselves(bring):
    report = bring(images={**IMAGES, "annotations": [BOX]}, detections='[{"image_id": 7')
    assert report["boxes_new"] == 1
    assert [row["code"] for row in report["refusals"]] == ["document_damaged"]


def test_detections_without_images_are_named(cast, tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "detections.json").write_text(json.dumps([BOX]))
    report = imports.import_folder(
        dataset=cast.dataset, folder=tmp_path, import_format="coco", user=cast.ana, progress=lambda *_: None
    ).as_json()
    assert [row["code"] for row in report["refusals"]] == ["document_unknown"]
    assert not Image.objects.exists()


def test_the_model_answers_each_box_with_a_proposal(real_base, bring):
    bring(boxes={**IMAGES, "annotations": [BOX, {**BOX, "bbox": [0, 0, 59, 39]}]})
    image = Image.objects.get()
    assert Job.objects.filter(kind="prompt_boxes").count() == 1
    result = boxes.boxes_answer(image=image)
    proposals = Mask.objects.filter(image=image)
    assert result == {"boxes": 2, "masks": len(proposals)}
    for mask in proposals:
        assert (mask.status, mask.source, mask.category, mask.model) == ("proposed", "model", "pear", real_base.digest)
        assert mask.prompts[0]["type"] == "box"
        assert rle.decode(mask.segmentation).shape == (HEIGHT, WIDTH)
    assert not BoxPrompt.objects.filter(answered=False).exists()
    assert boxes.boxes_answer(image=image) == {"boxes": 0, "masks": 0}, "twice is once"


def test_boxes_that_come_while_the_model_is_at_it_are_answered_too(base, cast, monkeypatch):
    from modelzoo import proposals

    image = add_image(cast.dataset)
    places = iter([0.2, 0.5, 0.8])

    def masks_of_boxes(_predictor, _maps, corners):
        if BoxPrompt.objects.count() < 3:  # Ben brings another list
            BoxPrompt.objects.create(image=image, bbox=[0, 0, 9, 9], digest=str(BoxPrompt.objects.count()))
            boxes.boxes_request(image=image)
        for _ in corners:
            shape = ellipse(image, x=next(places), size=0.1)
            yield {"segmentation": rle.encode(shape), "predicted_iou": 0.9, "prompts": []}

    for name in ("predictor_for", "image_maps"):
        monkeypatch.setattr(boxes, name, lambda *_: None)
    monkeypatch.setattr(proposals, "masks_of_boxes", masks_of_boxes)
    BoxPrompt.objects.create(image=image, bbox=[0, 0, 9, 9], digest="first")
    boxes.boxes_request(image=image)
    jobkit.run_pending()
    assert Job.objects.get(kind="prompt_boxes").result == {"boxes": 3, "masks": 3}
    assert not BoxPrompt.objects.filter(answered=False).exists()


def test_the_clock_asks_once_about_boxes_that_no_job_has_met(cast):
    image, other = add_image(cast.dataset), add_image(cast.dataset, seed=1)
    for one in (image, other):
        BoxPrompt.objects.create(image=one, bbox=[0, 0, 9, 9], digest="x")
    boxes.boxes_consider()
    assert not Job.objects.exists(), "there is no model yet"
    version_row("base", is_default=True)
    Job.objects.create(kind="prompt_boxes", dedupe_key=str(image.pk), state="succeeded")
    Job.objects.create(kind="prompt_boxes", dedupe_key=str(other.pk), state="failed")
    for _ in range(2):
        boxes.boxes_consider()
    assert Job.objects.get(state="queued").payload == {"image": image.pk}
    BoxPrompt.objects.update(answered=True)
    Job.objects.all().delete()
    boxes.boxes_consider()
    assert not Job.objects.exists()


def test_what_has_a_mask_already_gets_no_second_one(real_base, cast, monkeypatch):
    from modelzoo import proposals

    image = add_image(cast.dataset)
    shape = np.zeros((image.height, image.width), bool)
    shape[5:20, 5:30] = True
    mine = add_mask(image, shape)
    other = np.zeros_like(shape)
    other[25:35, 35:55] = True
    answers = [{"segmentation": rle.encode(one), "predicted_iou": 0.9, "prompts": []} for one in (shape, other, other)]
    monkeypatch.setattr(proposals, "masks_of_boxes", lambda *_: iter(answers))
    for number in range(3):
        BoxPrompt.objects.create(image=image, bbox=[number, 0, 9, 9], digest=str(number))
    assert boxes.boxes_answer(image=image) == {"boxes": 3, "masks": 1}
    new = Mask.objects.exclude(pk=mine.pk).get()
    assert np.array_equal(rle.decode(new.segmentation), other)
