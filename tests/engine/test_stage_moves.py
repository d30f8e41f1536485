"""From stage to stage: the lead's rule and today's values, a move by rule, a move by hand, and what follows from it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import jobkit
from annotation.models import Dataset, Image, Job, Mask, Task
from annotation.services.masks import mask_delete, mask_save
from annotation.services.tasks import task_claim_image
from annotation.signals import image_uploaded
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.models import Detector, Evaluation, ServingModel, StageMove, StageRule, TrainingRun
from engine.promotion import version_restore
from engine.stages import running, semi_automatic
from engine.stages.moves import datasets_consider, rule_update, share_kept, stage_consider, stage_move
from engine.stages.running import images_waiting, part_consider, part_request
from modelzoo import rle
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row
from tests.engine.test_stages import found_objects  # noqa: F401  what the model sees


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}/stages"


def judged(dataset, version, **summary):
    run = TrainingRun.objects.create(dataset=dataset, trigger="person", state="finished", base=version, seed=1)
    return Evaluation.objects.create(run=run, version=version, role="serving", summary=summary, rows=[], images=1)


def proposed(image, number):
    shapes = [ellipse(image, x=0.05 + 0.9 * place / number, size=0.04) for place in range(number)]
    stage = {"stage": "semi_automatic", "source": "model", "status": "proposed", "created_by": None}
    return [add_mask(image, shape, **stage) for shape in shapes]


def keep(mask, user, **changes):
    body = {"segmentation": mask.segmentation, "source": "model", "stage": mask.stage, "parent": mask.uuid, **changes}
    return mask_save(image=mask.image, mask_uuid=uuid.uuid4(), user=user, body=body)[0]


def test_the_checklist_shows_todays_values_beside_the_targets(cast, base, as_, url):
    image = add_image(cast.dataset)
    add_mask(image)
    judged(cast.dataset, base, miou_1=0.65, miou_3=0.8, masks=40)
    told = as_(cast.vic).get(f"{url}/").json()
    assert (told["stage"], told["waiting"], told["moves"]) == ("assisted", 0, [])
    assert told["images"] == {"assisted": 1, "semi_automatic": 0, "fully_automatic": 0}
    first, second = told["steps"]
    assert (first["stage"], first["next"], first["met"]) == ("assisted", "semi_automatic", False)
    assert first["rule"] == {"masks": 100, "clicks": 1, "iou": 0.7, "kept": None, "by_rule": True}
    assert first["checks"] == [
        {"key": "masks", "value": 1, "target": 100, "of": None, "met": False},
        {"key": "iou", "value": 0.65, "target": 0.7, "of": 40, "met": False},
        {"key": "kept", "value": None, "target": None, "of": 0, "met": True},
    ]
    assert second["rule"]["by_rule"] is False


def test_a_lead_changes_the_targets(cast, base, as_, url):
    judged(cast.dataset, base, miou_1=0.65, miou_3=0.8, masks=40)
    step = as_(cast.ana).patch(f"{url}/assisted/", {"masks": None, "iou": 0.75, "clicks": 3}, format="json").json()
    assert [(check["key"], check["target"], check["met"]) for check in step["checks"]] == [
        ("masks", None, True),
        ("iou", 0.75, True),
        ("kept", None, True),
    ]
    assert step["met"] is True
    again = as_(cast.ana).patch(f"{url}/assisted/", {"by_rule": False}, format="json").json()
    assert (again["rule"]["iou"], again["rule"]["by_rule"]) == (0.75, False)


@pytest.mark.parametrize(
    ("stage", "body", "code"),
    [
        ("fully_automatic", {"masks": 1}, "last_stage"),
        ("magic", {"masks": 1}, "unknown_stage"),
        ("assisted", {"iou": 1.5}, "invalid"),
        ("assisted", {"clicks": 2}, "invalid"),
        ("assisted", {"masks": -1}, "invalid"),
    ],
)
def test_an_impossible_rule_is_refused(cast, as_, url, stage, body, code):
    answer = as_(cast.ana).patch(f"{url}/{stage}/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not StageRule.objects.exists()


def test_a_dataset_moves_by_rule_once_everything_is_met(cast, base):
    image = add_image(cast.dataset)
    rule_update(dataset=cast.dataset, stage="assisted", masks=2, iou=0.6)
    add_mask(image)
    judged(cast.dataset, base, miou_1=0.61, masks=9)
    assert stage_consider(dataset=cast.dataset) is None
    add_mask(image)
    move = stage_consider(dataset=cast.dataset)
    assert (move.kind, move.from_stage, move.to_stage, move.by) == ("rule", "assisted", "semi_automatic", None)
    assert [(value["key"], value["value"]) for value in move.values] == [("masks", 2), ("iou", 0.61), ("kept", None)]
    assert Dataset.objects.get().stage == "semi_automatic"
    assert Job.objects.get().payload["stage"] == "semi_automatic"
    assert stage_consider(dataset=Dataset.objects.get()) is None


def test_a_dataset_that_is_to_stay_stays(cast, base):
    rule_update(dataset=cast.dataset, stage="assisted", masks=0, iou=None, by_rule=False)
    assert stage_consider(dataset=cast.dataset) is None


def test_a_rule_that_asks_for_nothing_moves_nothing(cast, base):
    rule_update(dataset=cast.dataset, stage="assisted", masks=None, iou=None, kept=None)
    assert stage_consider(dataset=cast.dataset) is None


def test_an_unmeasured_model_does_not_pass_for_a_good_one(cast, base):
    rule_update(dataset=cast.dataset, stage="assisted", masks=0, iou=0.0)
    assert stage_consider(dataset=cast.dataset) is None


def test_only_the_serving_version_counts(cast, base):
    judged(cast.dataset, base, miou_1=0.9, masks=9)
    ServingModel.objects.create(dataset=cast.dataset, version=version_row("newer", dataset=cast.dataset))
    rule_update(dataset=cast.dataset, stage="assisted", masks=0, iou=0.5)
    assert stage_consider(dataset=cast.dataset) is None


def test_a_lead_overrules_and_it_is_written_down(cast, base, as_, url):
    answer = as_(cast.ana).post(f"{url}/move/", {"to": "semi_automatic", "note": "Good enough"}, format="json")
    move = answer.json()
    assert answer.status_code == 201
    assert (move["kind"], move["by"], move["note"]) == ("person", "ana", "Good enough")
    assert [check["key"] for check in move["values"]] == ["masks", "iou", "kept"]
    again = as_(cast.ana).post(f"{url}/move/", {"to": "semi_automatic"}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "already_there")
    assert as_(cast.vic).get(f"{url}/").json()["moves"][0]["id"] == move["id"]


def test_moving_back_keeps_the_rule_from_moving_forward_again(cast, base):
    rule_update(dataset=cast.dataset, stage="assisted", masks=0, iou=None)
    assert stage_consider(dataset=cast.dataset) is not None
    stage_move(dataset=cast.dataset, to="assisted", by=cast.ana)
    assert stage_consider(dataset=cast.dataset) is None
    assert StageMove.objects.count() == 2


def test_without_a_model_nothing_moves(cast, as_, url):
    answer = as_(cast.ana).post(f"{url}/move/", {"to": "semi_automatic"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
    assert Dataset.objects.get().stage == "assisted"
    assert not StageMove.objects.exists()
    datasets_consider()


def test_the_share_of_prefilled_masks_that_people_kept(cast, image):
    masks = proposed(image, 24)
    assert share_kept(cast.dataset) == (None, 0)
    for mask in masks[:15]:
        keep(mask, cast.ben)
    other = rle.encode(ellipse(image, size=0.4))
    for mask in masks[15:18]:
        keep(mask, cast.ben, segmentation=other, source="model_edited")
    assert share_kept(cast.dataset) == (None, 18)  # too few to say
    for mask in masks[18:20]:
        mask_delete(mask=mask, user=cast.ben)
    Mask.objects.filter(pk=masks[20].pk).update(status="deleted")  # retired by a newer model, not by a person
    assert share_kept(cast.dataset) == (0.75, 20)


def test_a_move_prefills_what_is_in_the_queue_and_leaves_work_alone(cast, base, found):
    waiting, claimed, done = (add_image(cast.dataset, seed=seed) for seed in range(3))
    task_claim_image(image=claimed, user=cast.ben)
    Task.objects.filter(image=done).update(state="submitted")
    stage_move(dataset=cast.dataset, to="semi_automatic", by=cast.ana)
    jobkit.run_pending()
    assert set(Mask.objects.values_list("image", flat=True)) == {waiting.pk}
    assert dict(Image.objects.values_list("pk", "stage")) == {
        waiting.pk: "semi_automatic",
        claimed.pk: "assisted",
        done.pk: "assisted",
    }


def test_a_picture_in_anybodys_hands_does_not_wait_for_the_machine(cast, base):
    image = add_image(cast.dataset)
    Dataset.objects.update(stage="semi_automatic")
    dataset = Dataset.objects.get()
    assert images_waiting(dataset, base).get() == image
    held = {"state": "claimed", "assignee": cast.rae, "lease_expires_at": timezone.now() + timedelta(minutes=5)}
    review = Task.objects.create(image=image, kind="review", **held)
    assert part_request(dataset=dataset) is None
    review.delete()
    assert part_request(dataset=dataset) is not None


def test_nobody_is_asked_about_what_is_fully_automatic(cast, base, found):
    untouched, begun = add_image(cast.dataset, seed=0), add_image(cast.dataset, seed=1)
    Task.objects.filter(image=begun).update(seconds=12)
    stage_move(dataset=cast.dataset, to="fully_automatic", by=cast.ana)
    jobkit.run_pending()
    assert not Task.objects.filter(image=untouched).exists()
    assert Task.objects.get(image=begun).state == "open"
    stage_move(dataset=cast.dataset, to="assisted", by=cast.ana)
    assert Task.objects.get(image=untouched).state == "open"
    assert Task.objects.filter(image=begun).count() == 1


def test_a_new_picture_gets_the_machines_part_of_the_stage(cast, base, found):
    Dataset.objects.update(stage="semi_automatic")
    image = add_image(cast.dataset)
    image_uploaded.send(sender=None, image_id=image.pk)
    assert sorted(Job.objects.values_list("kind", flat=True)) == ["embed_upload", "run_stage"]
    jobkit.run(Job.objects.get(kind="run_stage").pk)
    assert Mask.objects.filter(image=image, status="proposed").count() == 2


def test_a_new_model_proposes_anew_for_what_is_still_in_the_queue(cast, base, found):
    image = add_image(cast.dataset)
    Dataset.objects.update(stage="semi_automatic")
    dataset = Dataset.objects.get()
    part_request(dataset=dataset)
    jobkit.run_pending()
    assert part_request(dataset=dataset) is None
    ServingModel.objects.create(dataset=dataset, version=version_row("newer", dataset=dataset))
    assert part_request(dataset=dataset) is not None
    Job.objects.all().delete()
    Task.objects.filter(image=image).update(state="submitted")
    assert part_request(dataset=dataset) is None


def test_what_failed_or_was_stopped_is_not_tried_every_minute(cast, base, found):
    def broken(image):
        raise FileNotFoundError("display.jpg")

    add_image(cast.dataset)
    Dataset.objects.update(stage="semi_automatic")
    dataset = Dataset.objects.get()
    found.masks = broken
    assert part_consider(dataset=dataset) is not None
    jobkit.run_pending()
    assert Job.objects.get().result["failed"][0]["code"] == "file_unreadable"
    assert part_consider(dataset=dataset) is None
    add_image(cast.dataset, seed=1)
    jobkit.cancel(part_consider(dataset=dataset))
    assert part_consider(dataset=dataset) is None


def broken_on(bad, found):
    def masks(image):
        if image in bad:
            raise FileNotFoundError("display.jpg")
        return [ellipse(image)]

    found.masks = masks


def considered(dataset):
    """What the clock has done: the job's result, or None where nothing waits."""
    job = part_consider(dataset=dataset)
    if job is not None:
        jobkit.run(job.pk)
        job.refresh_from_db()
    return job and job.result


def in_stage(dataset, stage):
    Dataset.objects.filter(pk=dataset.pk).update(stage=stage)
    return Dataset.objects.get(pk=dataset.pk)


def test_one_picture_that_failed_holds_up_no_other(cast, base, found):
    bad, held = (add_image(cast.dataset, seed=seed) for seed in range(2))
    dataset = in_stage(cast.dataset, "semi_automatic")
    broken_on([bad], found)
    task_claim_image(image=held, user=cast.ben)
    assert considered(dataset)["failed"][0]["image"] == bad.pk
    Task.objects.filter(image=held).update(state="open")
    assert considered(dataset)["masks"] == 1, "what Ben put down is done"
    assert considered(dataset) is None


@pytest.mark.parametrize("ending", ["failed on a picture", "stopped by Ana"])
def test_a_new_detector_proposes_also_after_a_failure(cast, base, found, monkeypatch, ending):
    images = [add_image(cast.dataset, seed=seed) for seed in range(2)]
    dataset = in_stage(cast.dataset, "semi_automatic")
    if ending == "failed on a picture":
        broken_on(images[:1], found)
        considered(dataset)
    else:
        jobkit.cancel(part_consider(dataset=dataset))
    assert considered(dataset) is None
    Detector.objects.create(dataset=dataset, version=base, digest="d" * 64, path="none")
    monkeypatch.setattr(semi_automatic, "propose", found)
    broken_on([], found)
    assert considered(dataset)["images"] == 2
    assert considered(dataset) is None


def test_what_was_stopped_goes_on_with_another_model(cast, base, found):
    add_image(cast.dataset)
    dataset = in_stage(cast.dataset, "fully_automatic")
    jobkit.cancel(part_consider(dataset=dataset))
    assert considered(dataset) is None
    ServingModel.objects.create(dataset=dataset, version=version_row("newer", dataset=dataset))
    assert considered(dataset)["images"] == 1


def test_where_more_pictures_failed_than_are_named_only_newer_ones_are_tried(cast, base, found, monkeypatch):
    monkeypatch.setattr(running, "MOST_NAMED", 2)
    images = [add_image(cast.dataset, seed=seed) for seed in range(4)]
    dataset = in_stage(cast.dataset, "semi_automatic")
    broken_on(images, found)
    assert len(considered(dataset)["failed"]) == 2
    assert considered(dataset) is None
    add_image(cast.dataset, seed=9)
    assert considered(dataset) is not None


def test_a_model_that_is_withdrawn_masks_nothing_more(cast, base, found):
    """Ana restores an earlier version while the job is at it: the clock goes on with that one."""
    earlier, poor = version_row("earlier", dataset=cast.dataset), version_row("poor", dataset=cast.dataset)
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    dataset = in_stage(cast.dataset, "fully_automatic")
    ServingModel.objects.create(dataset=dataset, version=poor)

    def masks(image):
        if image == images[0]:
            version_restore(dataset_id=dataset.pk, digest=earlier.digest, by=cast.ana)
        return [ellipse(image)]

    found.masks = masks
    first = considered(dataset)
    assert (first["model"], first["images"]) == (poor.digest, 1)
    second = considered(dataset)
    assert (second["model"], second["images"]) == (earlier.digest, 2)
    made_by = dict(Mask.objects.values_list("image", "model"))
    assert made_by == {image.pk: (poor if image == images[0] else earlier).digest for image in images}


def test_a_run_ends_when_the_dataset_leaves_the_stage(cast, base, found):
    for seed in range(3):
        add_image(cast.dataset, seed=seed)
    Dataset.objects.update(stage="semi_automatic")

    def masks(image):
        Dataset.objects.update(stage="assisted")
        return [ellipse(image)]

    found.masks = masks
    job = part_request(dataset=Dataset.objects.get())
    jobkit.run_pending()
    job.refresh_from_db()
    assert (job.state, job.result["images"]) == ("succeeded", 1)


def test_images_are_listed_by_stage(cast, as_):
    images = [add_image(cast.dataset, seed=seed) for seed in range(2)]
    Image.objects.filter(pk=images[1].pk).update(stage="semi_automatic")
    listed = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/images/?stage=semi_automatic").json()["results"]
    assert [(row["id"], row["stage"]) for row in listed] == [(images[1].pk, "semi_automatic")]
    assert as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/images/?stage=magic").status_code == 400


def test_a_stage_is_moved_by_its_own_route_alone(cast, as_):
    answer = as_(cast.ana).patch(f"/api/datasets/{cast.dataset.pk}/", {"stage": "semi_automatic"}, format="json")
    assert answer.status_code == 400
    assert "stages/move" in str(answer.json())
