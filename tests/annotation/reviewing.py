"""A dataset in which everything is reviewed, and people who label in it; the fixture is imported by name."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from annotation.models import Dataset
from tests.cast import client_of, ellipse, mask_body


@pytest.fixture(name="reviewed")
def reviewed_dataset(cast) -> Dataset:
    """Every image of an annotator is reviewed."""
    Dataset.objects.filter(pk=cast.dataset.pk).update(review_share=1, review_adapts=False)
    cast.dataset.refresh_from_db()
    return cast.dataset


def label(user, image, *places: float) -> dict[str, Any]:
    """Take an image up, mask at these places, submit."""
    client = client_of(user)
    task = client.post(f"/api/images/{image.pk}/task/").json()
    for x in places:
        body = mask_body(image, ellipse(image, x=x, size=0.15), task=task["id"])
        assert client.put(f"/api/masks/{uuid.uuid4()}/", body).status_code == 201
    submit(client, task)
    return task


def submit(client, task) -> None:
    """Done with an image."""
    body = {"lease": task["lease"], "seconds": 3, "answer": "done"}
    answer = client.post(f"/api/tasks/{task['id']}/submit/", body)
    assert answer.status_code == 200, answer.json()
