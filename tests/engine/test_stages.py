"""Machine stages: done once per image, model and settings; people's work is left alone; resumable after a kill."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotation import jobkit, storage
from annotation.errors import UserError
from annotation.models import Dataset, Job, Mask, Task
from annotation.services.masks import mask_delete
from annotation.services.tasks import task_claim_image
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.audit import audit_close, audit_measure, audit_start
from engine.models import Detector, Embedding, ServingModel, StageResult
from engine.stages import STAGES, fully_automatic, semi_automatic
from engine.stages.moves import stage_start
from engine.stages.running import stage_run
from modelzoo import rle
from tests.cast import add_image, add_mask, ellipse, mask_body
from tests.engine.conftest import version_row


def record(mask: np.ndarray, iou: float = 0.9) -> dict:
    """What the automatic mask generator gives for a mask."""
    segmentation = rle.encode(mask)
    height, width = mask.shape
    return {
        "segmentation": segmentation,
        "area": rle.area(segmentation),
        "bbox": rle.bbox(segmentation),
        "predicted_iou": iou,
        "stability_score": 0.95,
        "point_coords": [[width / 2, height / 2]],
        "crop_box": [0, 0, width - 1, height - 1],
    }


@pytest.fixture(name="found")
def found_objects(monkeypatch):
    """`found(image)` decides what the model sees: two ellipses, unless a test says otherwise. Counts its calls."""

    class Finder:
        calls = 0

        def masks(self, image):
            return [ellipse(image, x=0.3, size=0.15), ellipse(image, x=0.7, size=0.15)]

        def __call__(self, image, version, settings, progress):
            self.calls += 1
            progress(0.5)
            return [record(mask) for mask in self.masks(image)], 0.1

    finder = Finder()
    for module in (fully_automatic, semi_automatic):
        monkeypatch.setattr(module, "segment_everything", finder)
    return finder


def run(dataset, stage):
    return stage_run(dataset_id=dataset.pk, stage=stage, progress=lambda share, message: None)


def test_a_persons_mask_stays_theirs_when_their_account_is_gone(image, base, found, as_, cast):
    Dataset.objects.update(stage="semi_automatic")
    body = mask_body(image, ellipse(image, x=0.5, y=0.2, size=0.1), stage="semi_automatic")
    key = uuid.uuid4()
    assert as_(cast.ben).put(f"/api/masks/{key}/", body).status_code == 201
    Mask.objects.filter(uuid=key).update(created_by=None)
    run(image.dataset, "semi_automatic")
    assert Mask.objects.get(uuid=key).status == "accepted"


@pytest.mark.parametrize("stage", ["semi_automatic", "fully_automatic"])
def test_masks_and_who_looks_at_them_are_one(image, base, found, monkeypatch, stage):
    Dataset.objects.update(stage=stage)
    Task.objects.update(state="open" if stage == "fully_automatic" else "submitted")
    module = {"semi_automatic": semi_automatic, "fully_automatic": fully_automatic}[stage]
    name = "_ask_somebody" if stage == "semi_automatic" else "task_withdraw"

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            run(image.dataset, stage)
    run(image.dataset, stage)
    assert Mask.objects.count() == 2
    assert Task.objects.filter(state="open").exists() == (stage == "semi_automatic")


def test_fully_automatic_masks_are_accepted_with_their_origin(image, base, found):
    assert run(image.dataset, "fully_automatic")["masks"] == 2
    mask = Mask.objects.first()
    assert (mask.status, mask.source, mask.stage, mask.created_by) == ("accepted", "model", "fully_automatic", None)
    assert (mask.model, mask.predicted_iou, mask.stability_score) == (base.digest, 0.9, 0.95)
    assert mask.prompts == [{"type": "point", "x": 30.0, "y": 20.0, "label": 1}]
    assert mask.bbox == rle.bbox(mask.segmentation)


def test_a_second_run_does_nothing_again(image, base, found):
    run(image.dataset, "fully_automatic")
    assert run(image.dataset, "fully_automatic")["masks"] == 0
    assert found.calls == 1
    assert Mask.objects.count() == 2


def test_proposals_are_for_people_and_get_a_task(image, base, found):
    Task.objects.update(state="submitted")
    run(image.dataset, "semi_automatic")
    assert set(Mask.objects.values_list("status", "stage")) == {("proposed", "semi_automatic")}
    assert Task.objects.filter(image=image, state="open").count() == 1


def test_an_image_without_proposals_bothers_nobody(image, base, found):
    Task.objects.update(state="submitted")
    found.masks = lambda image: []
    run(image.dataset, "semi_automatic")
    assert not Task.objects.filter(state="open").exists()
    assert StageResult.objects.get().masks == 0


def test_what_a_person_has_masked_is_not_proposed_again(image, base, found):
    add_mask(image, ellipse(image, x=0.31, size=0.15))
    run(image.dataset, "semi_automatic")
    assert Mask.objects.filter(status="proposed").count() == 1


def test_nothing_is_proposed_on_an_automatic_mask_after_the_way_back(image, base, found):
    run(image.dataset, "fully_automatic")
    run(image.dataset, "semi_automatic")
    assert set(Mask.objects.values_list("status", "stage")) == {("accepted", "fully_automatic")}
    assert Mask.objects.count() == 2


def test_a_proposal_gives_way_to_the_mask_that_is_accepted_by_itself(image, base, found):
    named = add_mask(
        image, ellipse(image, x=0.3, size=0.15), source="model", created_by=None, status="proposed", category="pear"
    )
    found.masks = lambda image: [ellipse(image, x=x, size=0.15) for x in (0.5, 0.7)]
    run(image.dataset, "semi_automatic")
    found.masks = lambda image: [ellipse(image, x=x, size=0.15) for x in (0.31, 0.71)]
    run(image.dataset, "fully_automatic")
    accepted = Mask.objects.filter(status="accepted", stage="fully_automatic")
    assert accepted.count() == 2
    left = Mask.objects.filter(status="proposed")
    assert {rle.bbox(mask.segmentation)[0] for mask in left} == {
        named.bbox[0],
        rle.bbox(rle.encode(ellipse(image, x=0.5, size=0.15)))[0],
    }


@pytest.mark.parametrize("status", ["proposed", "accepted"])
def test_what_the_machine_has_from_elsewhere_is_not_proposed_beside(image, base, found, status):
    by_box = {"source": "model", "created_by": None, "stage": "assisted", "model": base.digest}
    add_mask(image, ellipse(image, x=0.31, size=0.15), status=status, **by_box)
    assert run(image.dataset, "semi_automatic")["masks"] == 1


def test_what_a_person_threw_away_does_not_come_back_with_another_model(image, cast, base, found):
    run(image.dataset, "semi_automatic")
    refused = Mask.objects.first()
    mask_delete(mask=refused, user=cast.ben)
    ServingModel.objects.create(dataset=cast.dataset, version=version_row("newer", dataset=cast.dataset))
    found.masks = lambda image: [ellipse(image, x=0.31, size=0.15), ellipse(image, x=0.7, size=0.15)]
    run(image.dataset, "semi_automatic")
    shown = Mask.objects.get(status="proposed")
    assert rle.iou(shown.segmentation, refused.segmentation) == 0


def test_the_background_is_no_object(image, base, found):
    found.masks = lambda image: [np.ones((image.height, image.width), bool)]
    run(image.dataset, "fully_automatic")
    assert not Mask.objects.exists()


def test_a_new_model_replaces_what_the_old_one_said_and_nobody_touched(image, cast, base, found):
    run(image.dataset, "semi_automatic")
    kept, gone = Mask.objects.order_by("serial")
    newer = version_row("newer", dataset=cast.dataset)
    ServingModel.objects.create(dataset=cast.dataset, version=newer)
    found.masks = lambda image: [ellipse(image, x=0.3, size=0.15), ellipse(image, x=0.5, y=0.2, size=0.1)]
    run(image.dataset, "semi_automatic")
    gone.refresh_from_db()
    assert (gone.status, gone.status_before) == ("deleted", "proposed")
    kept.refresh_from_db()
    shown = Mask.objects.filter(status="proposed")
    assert len({mask.segmentation["counts"] for mask in shown}) == shown.count() == 2


def test_a_proposal_that_a_person_deleted_stays_deleted(image, cast, base, found):
    run(image.dataset, "semi_automatic")
    refused = Mask.objects.first()
    mask_delete(mask=refused, user=cast.ben)
    StageResult.objects.all().delete()
    run(image.dataset, "semi_automatic")
    refused.refresh_from_db()
    assert refused.status == "deleted"
    assert Mask.objects.filter(status="proposed").count() == 1


def test_other_settings_are_other_work(image, base, found, monkeypatch):
    run(image.dataset, "fully_automatic")
    stage = STAGES["fully_automatic"]
    monkeypatch.setattr(type(stage), "settings", lambda self, **_: {"grid": {"points_per_side": 8}, "detector": None})
    run(image.dataset, "fully_automatic")
    assert found.calls == 2
    assert StageResult.objects.count() == 2
    assert Mask.objects.filter(status="accepted").count() == 2


def test_one_bad_image_does_not_stop_the_rest(cast, base, found):
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]

    def masks(image):
        if image == images[1]:
            raise FileNotFoundError("display.jpg")
        return [ellipse(image)]

    found.masks = masks
    result = run(cast.dataset, "fully_automatic")
    assert (result["images"], result["masks"]) == (3, 2)
    assert [failure["image"] for failure in result["failed"]] == [images[1].pk]


def test_a_killed_run_goes_on_where_it_stopped(cast, base, found, monkeypatch):
    images = [add_image(cast.dataset, seed=seed) for seed in range(4)]
    monkeypatch.setattr(jobkit, "RETRY_SECONDS", 0)

    def masks(image):
        if image == images[2] and found.calls == 3:
            raise RuntimeError("out of memory")
        return [ellipse(image)]

    found.masks = masks
    job = stage_start(dataset=cast.dataset, stage="fully_automatic", by=cast.ana)
    jobkit.run_pending()
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert found.calls == 5  # three, then the third again and the fourth
    assert Mask.objects.count() == 4


def fitted(dataset, version, gates):
    return Detector.objects.create(dataset=dataset, version=version, digest="d" * 64, path="none", gates=gates)


def test_the_gates_that_were_fitted_to_the_model_are_used(image, base, found):
    stage = STAGES["fully_automatic"]
    strict = stage.settings(dataset_id=image.dataset_id, version=base)
    assert strict == {"grid": fully_automatic.STRICT, "detector": None}
    gates = {"points_per_side": 24, "box_nms_thresh": 0.7, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.05}
    fitted(image.dataset, base, {**gates, "kept": 20, "right": 18, "pictures": 5})
    settings = stage.settings(dataset_id=image.dataset_id, version=base)
    assert settings == {"grid": {**gates, "min_mask_region_area": 100}, "detector": "d" * 64}


def test_what_boxes_and_grid_both_find_is_written_once(image, base, found, monkeypatch):
    fitted(image.dataset, base, {**fully_automatic.STRICT})
    by_box = {
        **record(ellipse(image, x=0.31, size=0.15)),
        "prompts": [{"type": "box", "x0": 1, "y0": 1, "x1": 9, "y1": 9}],
    }
    monkeypatch.setattr(fully_automatic, "propose", lambda *_: ([by_box], 0.1))
    assert run(image.dataset, "fully_automatic")["masks"] == 2
    assert {mask.prompts[0]["type"] for mask in Mask.objects.all()} == {"box", "point"}


def test_a_grid_that_keeps_no_promise_is_not_run(image, base, found, monkeypatch):
    fitted(image.dataset, base, None)
    monkeypatch.setattr(fully_automatic, "propose", lambda *_: ([], 0.1))
    assert run(image.dataset, "fully_automatic")["masks"] == 0
    assert found.calls == 0


def another_model(dataset, found):
    """One that serves from now on and sees one other thing."""
    ServingModel.objects.create(dataset=dataset, version=version_row("newer", dataset=dataset))
    found.masks = lambda image: [ellipse(image, y=0.3, size=0.1)]


def machine_masks(image):
    return set(image.masks.filter(status__in=Mask.CURRENT).values_list("uuid", flat=True))


@pytest.mark.parametrize("stage", ["semi_automatic", "fully_automatic"])
def test_what_somebody_takes_up_while_the_model_is_at_it_is_not_changed_under_their_hands(
    image, cast, base, found, stage
):
    run(cast.dataset, stage)
    before = machine_masks(image)
    another_model(cast.dataset, found)
    sees = found.masks

    def masks(image):
        task_claim_image(image=image, user=cast.ben)
        return sees(image)

    found.masks = masks
    result = run(cast.dataset, stage)
    assert (result["images"], result["masks"], result["left"]) == (0, 0, 1)
    assert machine_masks(image) == before
    assert run(cast.dataset, stage)["left"] == 1
    assert found.calls == 2, "the model is not asked about what somebody holds"

    found.masks = sees
    Task.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    result = run(cast.dataset, stage)
    assert (result["images"], result["masks"], result["left"]) == (1, 1, 0)
    assert not machine_masks(image) & before


def test_masks_under_audit_stay_as_they_are_until_they_are_measured(cast, base, found):
    Dataset.objects.update(stage="fully_automatic")
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    run(cast.dataset, "fully_automatic")
    audit = audit_start(dataset=cast.dataset, size=2)
    submitted, asked = (place.task for place in audit.images.order_by("pk"))
    Task.objects.filter(pk=submitted.pk).update(state="submitted")
    before = {image.pk: machine_masks(image) for image in images}
    another_model(cast.dataset, found)
    result = run(cast.dataset, "fully_automatic")
    assert (result["images"], result["left"]) == (1, 2)
    same = {image.pk for image in images if machine_masks(image) == before[image.pk]}
    assert same == {submitted.image_id, asked.image_id}

    audit_measure(task_id=submitted.pk)
    assert audit_close(audit=audit).numbers["kept"] == 2
    assert run(cast.dataset, "fully_automatic")["left"] == 0
    assert not any(machine_masks(image) & before[image.pk] for image in images)


def test_a_stage_is_started_once_and_shown_on_the_dataset(cast, base):
    first = stage_start(dataset=cast.dataset, stage="semi_automatic", by=cast.ana)
    assert stage_start(dataset=cast.dataset, stage="semi_automatic", by=cast.ana) == first
    assert Dataset.objects.get().stage == "semi_automatic"
    assert first.title == "Semi-automatic stage"


def test_an_unknown_stage_is_named_with_the_known_ones(cast, base):
    with pytest.raises(UserError, match="assisted, semi_automatic, fully_automatic"):
        stage_start(dataset=cast.dataset, stage="magic")


@pytest.mark.django_db(transaction=True)
def test_the_command_runs_it_here_and_now(cast, base, found):
    add_image(cast.dataset)
    until = timezone.now() + timedelta(hours=1)
    Task.objects.filter(image=add_image(cast.dataset, seed=1)).update(state="claimed", lease_expires_at=until)
    out = StringIO()
    call_command("run_stage", "Fruit", "fully_automatic", stdout=out)
    assert "1 images, 2 new masks, 0 failed." in out.getvalue()
    assert "1 images left alone" in out.getvalue()
    assert Job.objects.get().state == "succeeded"
    with pytest.raises(CommandError, match="no dataset"):
        call_command("run_stage", "Vegetables", "assisted")


@pytest.mark.slow
def test_the_real_generator_feeds_the_stages(image, real_base, monkeypatch):
    """With random weights and open gates: whatever comes out is legal, has an origin and can be repeated."""
    stage = STAGES["fully_automatic"]
    gates = {"points_per_side": 4, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 1.0}
    monkeypatch.setattr(type(stage), "settings", lambda self, **_: {"grid": gates, "detector": None})
    run(image.dataset, "fully_automatic")
    masks = Mask.objects.all()
    assert masks.count() == StageResult.objects.get().masks
    for mask in masks:
        rle.validate(mask.segmentation, image.height, image.width)
        assert mask.model == real_base.digest


@pytest.mark.slow
def test_assisted_makes_every_image_ready(image, real_base):
    run(image.dataset, "assisted")
    row = Embedding.objects.get(image=image)
    assert storage.full(row.path).stat().st_size == row.byte_size
