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
from tests.cast import add_image, add_mask, picture

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
