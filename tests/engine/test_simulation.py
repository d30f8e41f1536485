"""Simulated people: what they see, what they do with it, and the whole loop that they drive."""

from __future__ import annotations

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image as Picture

from annotation import jobkit
from annotation.models import Dataset, Image, Mask
from annotation.services.masks import masks_add
from engine.models import Promotion, TrainingRun
from engine.simulation import people
from engine.simulation.browser import Attempt
from engine.simulation.figures import figures
from engine.simulation.people import ImageWork, ObjectWork, Person
from engine.simulation.truth import deal, read_truth
from modelzoo import rle
from modelzoo.training.data import DataError
from modelzoo.training.metrics import mask_iou

WIDTH, HEIGHT = 96, 64
pytestmark = pytest.mark.django_db


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


LARGE, SMALL = disc(30, 30, 20), disc(75, 20, 8)


@pytest.fixture
def coco(tmp_path):
    """`coco(4)`: a folder of four pictures with a large and a small disc each, and the COCO file that says so."""

    def write(count: int, annotators: tuple[int, ...] = (0,)):
        (tmp_path / "images").mkdir(exist_ok=True)
        images, annotations = [], []
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            pixels[LARGE | SMALL] += 150
            name = f"{number}.png"
            Picture.fromarray(pixels).save(tmp_path / "images" / name)
            images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            for annotator in annotators:
                for mask in (SMALL, LARGE):
                    entry = {"id": len(annotations) + 1, "image_id": number, "segmentation": dict(rle.encode(mask))}
                    annotations.append({**entry, "category_id": 1, "annotator": annotator})
        document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
        (tmp_path / "truth.json").write_text(json.dumps(document))
        return tmp_path / "images", tmp_path / "truth.json"

    return write


# --- What is really there ----------------------------------------------------------------------------------------


def test_the_largest_object_comes_first_and_one_person_is_believed(coco):
    pictures = read_truth(*coco(3, annotators=(1, 2)))
    assert [rle.area(mask) for mask in pictures[0].objects] == [LARGE.sum(), SMALL.sum()]
    assert all(len(one.objects) == 1 for one in read_truth(*coco(3), most_objects=1))
    assert len(read_truth(*coco(3), crowded=2)) == 3
    with pytest.raises(DataError):
        read_truth(*coco(3), crowded=1)
    assert all(len(one.objects) == 1 for one in read_truth(*coco(3), smallest=SMALL.sum() * 1.5 / (WIDTH * HEIGHT)))


def test_every_round_has_its_share_of_held_out_pictures(coco):
    pictures = read_truth(*coco(40))
    held_out = sum(one.held_out for one in pictures)
    rounds = deal(pictures, 4)
    assert sorted(one.file_name for part in rounds for one in part) == sorted(one.file_name for one in pictures)
    assert {sum(one.held_out for one in part) for part in rounds} <= {held_out // 4, held_out // 4 + 1}
    with pytest.raises(DataError, match="too few for 41 rounds"):
        deal(pictures, 41)


# --- What one person does ----------------------------------------------------------------------------------------


class Painter:
    """A model that a click teaches one disc: the first click brings half of the object, the second all of it."""

    model = "ab" * 32

    def __init__(self, *objects: np.ndarray) -> None:
        self.objects = objects

    def begin(self, mask):
        return Attempt(mask, feedback=np.zeros((1, 4, 4)), model=self.model)

    def click(self, attempt, x, y, label):
        meant = next(one for one in self.objects if one[int(y), int(x)])
        half = meant & (np.arange(WIDTH) < np.flatnonzero(meant.any(0)).mean())
        attempt.points.append((x, y))
        attempt.labels.append(label)
        attempt.mask = half if attempt.feedback is None else meant
        attempt.feedback, attempt.model, attempt.chosen = np.zeros((1, 4, 4)), self.model, 0
        attempt.candidates = [{"predicted_iou": 0.9, "stability_score": 0.9}]


@pytest.fixture
def ben_at_work(cast, coco, base, monkeypatch):
    """`ben_at_work(proposals)`: Ben labels one picture that comes with these masks proposed; (his work, the masks)."""

    def work(*proposals: np.ndarray, spoil=None, brush=False):
        (picture,) = read_truth(*coco(1))
        image = Image.objects.create(
            dataset=cast.dataset, file_name=picture.file_name, sha256="a" * 64, width=WIDTH, height=HEIGHT, byte_size=1
        )
        image.tasks.create()
        records = [{"segmentation": dict(rle.encode(mask))} for mask in proposals]
        masks_add(image=image, records=records, stage="semi_automatic", source="model", status="proposed")
        person = Person("ben", brush)
        person.spoil = spoil
        monkeypatch.setattr(person.browser, "open", lambda number: Painter(LARGE, SMALL))
        done = person.label(person.next_task(cast.dataset.pk), picture)
        return done, list(Mask.objects.filter(image=image, status="accepted"))

    return work


def test_without_proposals_every_object_is_clicked_until_it_is_good(ben_at_work):
    done, masks = ben_at_work()
    assert [(one.clicks, one.iou, one.start) for one in done.objects] == [(2, 1.0, "prompt")] * 2
    assert [mask.area for mask in masks] == [LARGE.sum(), SMALL.sum()]
    assert {mask.created_by.username for mask in masks} == {"ben"}
    assert [len(mask.prompts) for mask in masks] == [2, 2]
    assert masks[0].image.tasks.get().state == "submitted"


def test_what_the_clicks_do_not_bring_is_painted_where_there_is_a_brush(ben_at_work, monkeypatch):
    monkeypatch.setattr(people, "MOST_CLICKS", 1)
    done, masks = ben_at_work(brush=True)
    assert [(one.clicks, one.iou < people.GOOD_ENOUGH, one.painted) for one in done.objects] == [(1, True, True)] * 2
    assert [(mask.area, mask.source, mask.edits) for mask in masks] == [
        (LARGE.sum(), "model_edited", 1),
        (SMALL.sum(), "model_edited", 1),
    ]
    assert figures([done])["painted_share"] == figures([done])["accepted_iou"] == 1.0


def test_a_good_proposal_is_kept_a_fair_one_corrected_and_nonsense_discarded(ben_at_work):
    fair = SMALL & (np.arange(HEIGHT)[:, None] < 22)
    assert people.SAME_OBJECT < mask_iou(fair, SMALL) < people.GOOD_ENOUGH
    done, masks = ben_at_work(LARGE, fair, disc(75, 50, 8))
    assert sorted((one.start, one.clicks) for one in done.objects) == [("corrected", 1), ("untouched", 0)]
    assert (done.proposed, done.discarded) == (3, 1)
    assert sorted(mask.area for mask in masks) == sorted([LARGE.sum(), SMALL.sum()])
    assert all(mask.parent is not None for mask in masks)
    assert [one.otherwise.clicks for one in done.objects] == [2, 2], "what the same hand takes from nothing"
    told = figures([done])["prefilled"]["actions"]
    assert (told["per_image"], told["per_image_otherwise"]) == (1 + 2 + 1, 6)  # kept, corrected by a click, discarded
    assert told["saved"] == told["saved_low"] == told["saved_high"] == 0.3333
    assert not Mask.objects.filter(status="proposed").exists()


def test_an_auditor_leaves_exactly_what_is_there(cast, image, coco, base):
    (picture,) = read_truth(*coco(1))
    audited = Image.objects.create(
        dataset=cast.dataset, file_name=picture.file_name, sha256="b" * 64, width=WIDTH, height=HEIGHT, byte_size=1
    )
    fair = LARGE & (np.arange(HEIGHT)[:, None] < 40)
    records = [{"segmentation": dict(rle.encode(mask))} for mask in (fair, disc(75, 50, 8))]
    masks_add(image=audited, records=records, stage="fully_automatic", source="model", status="accepted")
    ben = Person("ben")
    task = ben.ask("POST", f"/api/images/{audited.pk}/task/")
    ben.audit(task, picture)
    (left,) = Mask.objects.filter(image=audited, status="accepted")
    assert (left.area, left.source, left.edits) == (LARGE.sum(), "model_edited", 1)


def test_a_careless_person_saves_the_surroundings(ben_at_work):
    _, masks = ben_at_work(spoil=people.surroundings)
    assert len(masks) == 2
    assert all(not (rle.decode(mask.segmentation) & one).any() for mask, one in zip(masks, (LARGE, SMALL), strict=True))


def test_nobody_can_sign_in_as_a_simulated_person(db):
    assert not Person("simulated").user.has_usable_password()


def test_a_round_in_figures():
    kept = ObjectWork(0, 0.95, "untouched")
    works = [
        ImageWork(1, [ObjectWork(1, 0.9, "prompt"), kept, kept], proposed=3, discarded=1),
        ImageWork(2, [ObjectWork(20, 0.5, "prompt"), ObjectWork(3, 0.88, "corrected")], proposed=1),
    ]
    told = figures(works)
    assert (told["images"], told["masks"], told["clicks"], told["clicks_per_mask"]) == (2, 5, 24, 4.8)
    assert (told["one_click_share"], told["not_reached_share"]) == (0.5, 0.3333)
    assert told["prefilled"]["untouched_share"] == 0.5
    assert told["prefilled"]["share_of_objects"] == 0.4
    assert told["prefilled"]["clicks_per_corrected_mask"] == 3
    assert told["prefilled"]["clicks_per_prompted_mask"] == 10.5
    assert told["prefilled"]["actions"]["per_image"] == (4 + 25) / 2  # both that are kept take one key
    assert figures([])["clicks_per_mask"] is None
    assert figures([])["prefilled"]["actions"] is None


# --- The whole loop ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_stages_with_a_retraining_between_them_end_in_a_report(coco, real_base, tmp_path, settings, monkeypatch):
    settings.ANYMASK_TRAIN_STEPS = 2
    settings.ANYMASK_TRAIN_THREADS = 1
    settings.ANYMASK_PROPOSAL_MINUTES = 0
    settings.ANYMASK_TRAIN_MIN_MASKS = settings.ANYMASK_GATE_MIN_MASKS = 2
    monkeypatch.setattr(jobkit, "RETRY_SECONDS", 0)
    images, truth = coco(16)
    said = StringIO()
    call_command(
        "simulate",
        images=images,
        coco=truth,
        rounds=1,
        report=tmp_path / "out.json",
        stages="assisted,fully_automatic",
        dataset="Discs",
        stdout=said,
    )
    report = json.loads((tmp_path / "out.json").read_text())
    first, last = report["rounds"]
    assert (first["stage"], last["stage"]) == ("assisted", "fully_automatic")
    assert (report["pictures"], last["images"]) == (16, 0), "nobody is asked in the fully automatic stage"
    assert first["images"] > 0
    assert (last["automatic"]["audit"] is None) == (last["automatic"]["masks"] == 0)
    assert first["training"]["decision"] in ("promote", "refuse")
    assert first["training"]["reason"] in said.getvalue()
    assert "training" not in last
    assert last["model"] == (
        first["training"]["candidate"] if first["training"]["decision"] == "promote" else first["model"]
    )
    run = TrainingRun.objects.get()
    assert (run.pk, run.state) == (first["training"]["run"], "finished")
    assert Promotion.objects.get().kind == first["training"]["decision"]
    dataset = Dataset.objects.get(name="Discs")
    assert dataset.stage == "fully_automatic"
    assert Mask.objects.filter(image__dataset=dataset, created_by__isnull=False).count() <= 32
    with Picture.open(tmp_path / "out.png") as plot:
        assert plot.width > 600
    with pytest.raises(CommandError, match="There is a dataset 'Discs' already"):
        call_command("simulate", images=images, coco=truth, report=tmp_path / "out.json", dataset="Discs")


def test_what_cannot_be_simulated_is_said_in_a_sentence(coco, tmp_path, base):
    images, truth = coco(3)
    asked = {"images": images, "coco": truth, "report": tmp_path / "out.json"}
    for change, said in (
        ({"stages": "by_magic"}, "no stage 'by_magic'"),
        ({"rounds": 0}, "At least one round"),
        ({"report": tmp_path / "no" / "out.json"}, "no folder"),
        ({"coco": tmp_path / "none.json"}, "Cannot read"),
        ({"rounds": 30}, "too few for 31 rounds"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("simulate", **{**asked, **change})
