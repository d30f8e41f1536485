"""Many masks stored at once are what was given, whatever their texts hold: tabs, line ends, backslashes, quotes."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.models import Mask
from annotation.services.bulk import rows_insert
from modelzoo import rle
from tests.cast import ellipse

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [r"\N", r"\.", "\t\n\r\\", "'; --", '"', "", "\x85\u2028"]
)


def row(image, **fields):
    now, segmentation = timezone.now(), rle.encode(ellipse(image))
    drawn = {"segmentation": segmentation, "bbox": rle.bbox(segmentation), "area": rle.area(segmentation)}
    times = {"created_at": now, "status_changed_at": now}
    return {"uuid": uuid.uuid4(), "image_id": image.pk, "source": "model", **drawn, **times, **fields}


@given(st.lists(st.tuples(TEXTS, st.none() | st.floats(0, 1), st.booleans(), st.lists(TEXTS)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_given(image, told):
    rows = [
        row(image, category=category, predicted_iou=iou, crowd=crowd, prompts=prompts)
        for category, iou, crowd, prompts in told
    ]
    rows_insert(model=Mask, rows=rows)
    for given_row, one in zip(rows, told, strict=True):
        mask = Mask.objects.get(uuid=given_row["uuid"])
        assert (mask.category, mask.predicted_iou, mask.crowd, mask.prompts) == one
        assert mask.segmentation == given_row["segmentation"]
        assert (mask.created_at, mask.created_by_id) == (given_row["created_at"], None)


def test_one_row_that_is_there_already_refuses_all(image):
    first = row(image)
    rows_insert(model=Mask, rows=[first])
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert(model=Mask, rows=[row(image), first])
    assert Mask.objects.filter(image=image).count() == 1
