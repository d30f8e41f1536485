"""A dataset of any size in a PostgreSQL database, written by the database itself: no row passes through Python.

One row of each kind is made by the product's models; the others are that row again with what differs computed by
generate_series. So a new column needs no change here. Runs inside of Django (DJANGO_SETTINGS_MODULE, DATABASE_URL).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.utils import timezone

from annotation.models import Dataset, Event, Image, Job, Mask, Member, ReviewItem, Task
from engine.models import ModelVersion
from modelzoo import rle

logger = logging.getLogger(__name__)
HEIGHT, WIDTH = 480, 640
SHAPES = 100
ANNOTATORS = 50
STEP = 500_000  # rows in one statement
NAME = "Large"


def shapes(number: int = SHAPES) -> list[dict[str, Any]]:
    """Wavy discs as the masks table holds them: {"counts", "bbox", "area"}, frame 640 x 480."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    found: list[dict[str, Any]] = []
    while len(found) < number:
        centre, radius = random.uniform(0, 1, 2) * (HEIGHT, WIDTH), random.uniform(5, 60)
        wave = 1 + 0.2 * np.sin(7 * np.arctan2(y - centre[0], x - centre[1]))
        coded = rle.encode((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (radius * wave) ** 2)
        if rle.area(coded):
            found.append({"counts": coded["counts"], "bbox": rle.bbox(coded), "area": rle.area(coded)})
    return found


def multiply(template: models.Model, rows: int, **columns: str) -> None:
    """Add `rows` copies of a saved row. `columns` are SQL expressions of `n` (0 ...) for the columns that differ."""
    meta = type(template)._meta
    fields = [field.column for field in meta.concrete_fields if field.column != meta.pk.column]
    if meta.pk.column in columns:
        fields.append(str(meta.pk.column))
    values = ", ".join(columns.get(str(field), f't."{field}"') for field in fields)
    names = ", ".join(f'"{field}"' for field in fields)
    with connection.cursor() as cursor:
        for start in range(0, rows, STEP):
            stop = min(rows, start + STEP) - 1
            cursor.execute(
                f'INSERT INTO "{meta.db_table}" ({names}) SELECT {values} FROM "{meta.db_table}" t, '
                f'generate_series({start}, {stop}) n WHERE t."{meta.pk.column}" = %s',
                [template.pk],
            )


@contextmanager
def without_indexes(table: str) -> Iterator[None]:
    """Take away all but the primary key and build it again afterwards: quicker than to add millions one by one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass"
            " AND contype IN ('u', 'f')",
            [table],
        )
        constraints = cursor.fetchall()
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN"
            " (SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass)",
            [table, table],
        )
        indexes = cursor.fetchall()
        # Other tables' foreign keys to a unique column would stand in the way; there are none but to primary keys.
        for name, _ in constraints:
            cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        for name, definition in sorted(constraints, key=lambda one: one[1]):
            cursor.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')


def fill(images: int, masks: int, name: str = NAME) -> Dataset:
    """A dataset of so many images and masks, with what a year of work on it leaves behind: tasks, reviews, log, jobs.

    Of the images 60 % are labelled. Of the masks 75 % are accepted, 12 % proposed, 10 % superseded, 3 % deleted; two
    thirds were made by fifty annotators over 200 days.
    """
    started = time.perf_counter()
    users = get_user_model().objects
    people = [users.get_or_create(username=one)[0] for one in ("ana", "rae", "ben")]
    first = people[2].pk
    annotators = [users.get_or_create(username=f"annotator{n}")[0] for n in range(ANNOTATORS)]
    dataset = Dataset.objects.create(name=name, created_by=people[0], review_share=0.1)
    for user, role in zip(people, ("lead", "reviewer", "annotator"), strict=True):
        Member.objects.create(dataset=dataset, user=user, role=role)
    Member.objects.bulk_create(Member(dataset=dataset, user=user, role="annotator") for user in annotators)
    ids = [first, *(user.pk for user in annotators)]
    person = f"(ARRAY{ids})[1 + (n / 7) %% {len(ids)}]"
    path = "x/display.jpg"
    image = Image.objects.create(
        dataset=dataset,
        file_name="0.jpg",
        sha256=f"{dataset.pk:064x}",
        **{"width": WIDTH, "height": HEIGHT, "media_type": "image/jpeg", "byte_size": 100_000, "split": "train"},
        **{"original_path": path, "display_path": path, "thumbnail_path": path, "licence": "CC0"},
    )
    digest = f"encode(sha256(('{dataset.pk} ' || n)::bytea), 'hex')"
    split = "(ARRAY['held_out','held_out','validation','train','train','train','train','train','train','train'])"
    multiply(
        image,
        images - 1,
        sha256=digest,
        file_name="n || '.jpg'",
        split=f"{split}[1 + n %% 10]",
        uncertainty="(n::bigint * 7919 %% 1000) / 1000.0",
    )
    _tasks(dataset, images, person)
    if masks:
        _masks(dataset, image.pk, images, masks, person)
    _traces(dataset, image.pk, images, person, people[0])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    logger.warning("filled %s images and %s masks in %.0f s", images, masks, time.perf_counter() - started)
    return dataset


def _tasks(dataset: Dataset, images: int, person: str) -> None:
    """A task of each image: the first 60 % submitted, one in a hundred of the others skipped, the rest open."""
    first = Image.objects.filter(dataset=dataset).earliest("pk").pk
    task = Task.objects.create(image_id=first)
    done = f"n < {int(images * 0.6)}"
    multiply(
        task,
        images - 1,
        image_id=f"{first} + 1 + n",
        state=f"CASE WHEN {done} THEN 'submitted' WHEN n %% 100 = 0 THEN 'skipped' ELSE 'open' END",
        assignee_id=f"CASE WHEN {done} THEN {person} END",
        submitted_at=f"CASE WHEN {done} THEN now() - (n %% 200) * interval '1 day' END",
        seconds=f"CASE WHEN {done} THEN 300 + n %% 600 ELSE 0 END",
        answer=f"CASE WHEN {done} THEN 'done' ELSE '' END",
    )
    review = Task.objects.create(image_id=first, kind="review")
    multiply(
        review,
        images // 20,
        image_id=f"{first} + 1 + n * 10",
        disagreement="(n * 7919 %% 1000) / 1000.0",
    )
    overlap = Task.objects.create(image_id=first, kind="overlap", state="submitted", submitted_at=timezone.now())
    multiply(overlap, images // 50, image_id=f"{first} + 1 + n * 7")


def _masks(dataset: Dataset, first: int, images: int, masks: int, person: str) -> None:
    drawn = shapes()
    counts = "ARRAY[" + ",".join("'" + one["counts"].replace("'", "''") + "'" for one in drawn) + "]"
    counts = counts.replace("%", "%%")
    boxes = "ARRAY[" + ",".join("'" + str(list(one["bbox"])) + "'" for one in drawn) + "]::jsonb[]"
    areas = f"ARRAY{[int(one['area']) for one in drawn]}"
    pick = f"[1 + n %% {len(drawn)}]"
    per_image = max(1, masks // images)
    mask = Mask.objects.create(
        image_id=first,
        segmentation={"size": [HEIGHT, WIDTH], "counts": drawn[0]["counts"]},
        bbox=list(drawn[0]["bbox"]),
        area=drawn[0]["area"],
        source="model",
        prompts=[{"type": "point", "x": 10.5, "y": 20.5, "positive": True}],
        predicted_iou=0.9,
        model="d" * 64,
        seconds=9,
    )
    status = "CASE WHEN n %% 100 < 75 THEN 'accepted' WHEN n %% 100 < 87 THEN 'proposed'"
    status += " WHEN n %% 100 < 97 THEN 'superseded' ELSE 'deleted' END"
    size = f"jsonb_build_array({HEIGHT}, {WIDTH})"
    by_people = "n %% 100 < 66"
    with without_indexes("annotation_mask"):
        multiply(
            mask,
            masks - 1,
            uuid="gen_random_uuid()",
            image_id=f"{first} + LEAST(n / {per_image}, {images - 1})",
            segmentation=f"jsonb_build_object('size', {size}, 'counts', ({counts}){pick})",
            bbox=f"({boxes}){pick}",
            area=f"({areas}){pick}",
            category="'kind ' || n %% 40",
            status=status,
            stage="CASE WHEN n %% 3 = 0 THEN 'semi_automatic' ELSE 'assisted' END",
            source="CASE WHEN n %% 5 = 0 THEN 'model_edited' ELSE 'model' END",
            created_by_id=f"CASE WHEN {by_people} THEN {person} END",
            status_changed_by_id=f"CASE WHEN n %% 100 >= 87 THEN {person} END",
            created_at="now() - (n %% 200) * interval '1 day' - interval '1 hour'",
            status_changed_at="now() - (n %% 200) * interval '1 day' - interval '1 hour'",
            seconds="4 + n %% 20",
        )


def _traces(dataset: Dataset, first: int, images: int, person: str, lead: Any) -> None:
    """Verdicts on two masks of each image, ten lines of the log per image, a job for every fifth; model versions."""
    event = Event.objects.create(dataset=dataset, actor=lead, action="mask:put", subject="mask", subject_id="x")
    multiply(event, images * 10, actor_id=person, at="now() - (n %% 200) * interval '1 day'")
    job = Job.objects.create(kind="embed", title="Prepare", queue="batch", dataset=dataset, state="succeeded")
    multiply(job, images // 5, id="gen_random_uuid()", created_at="now() - n * interval '1 minute'")
    ModelVersion.objects.get_or_create(
        digest="d" * 64,
        defaults={"name": "base", "variant": "compact", "state": "base", "is_default": True}
        | {"checkpoint_path": "x", "decoder_path": "x"},
    )
    serial = Mask.objects.filter(image=first).order_by("serial").values_list("serial", flat=True).first()
    review = Task.objects.filter(image__dataset=dataset, kind="review").earliest("pk")
    if serial is None:
        return
    closed = f"CASE WHEN n %% 20 = 0 THEN '{ReviewItem.Verdict.CORRECTED}' ELSE '{ReviewItem.Verdict.ACCEPTED}' END"
    item = ReviewItem.objects.create(task=review, mask_id=serial, author=lead, verdict="accepted")
    masks = Mask.objects.filter(image__dataset=dataset).count()
    multiply(
        item,
        min(images * 2, masks - 1),
        mask_id=f"{serial} + 1 + n * {max(1, (masks - 1) // (images * 2))}",
        author_id=person,
        verdict=closed,
        decided_at="now() - (n %% 200) * interval '1 day'",
        decided_by_id=str(lead.pk),
    )
