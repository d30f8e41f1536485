"""A database that is being started again is no bug: 503, a code, and when to come back; saved work is sent again."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError

from annotation.services import masks, tasks
from tests.cast import mask_body


@pytest.mark.parametrize(
    "problem",
    [
        OperationalError("server closed the connection unexpectedly"),
        OperationalError("database is locked"),
        InterfaceError("connection already closed"),
    ],
    ids=str,
)
def test_the_answer_says_to_try_again(cast, as_, image, monkeypatch, problem):
    def fail(**_):
        raise problem

    monkeypatch.setattr(tasks, "task_claim_next", fail)
    monkeypatch.setattr(masks, "mask_save", fail)
    ben = as_(cast.ben)
    asked = ben.post(f"/api/datasets/{cast.dataset.pk}/tasks/next/")
    saved = ben.put("/api/masks/6c0b3a0e-7a3c-4d6e-9b1f-2f4f6f0a8f11/", mask_body(image))
    for answer in (asked, saved):
        assert answer.status_code == 503
        assert answer.json()["code"] == "database_away"
        assert answer.json()["message"].endswith(".")
        assert answer["Retry-After"] == "2"
    monkeypatch.undo()
    again = as_(cast.ben).put("/api/masks/6c0b3a0e-7a3c-4d6e-9b1f-2f4f6f0a8f11/", mask_body(image))
    assert again.status_code == 201
