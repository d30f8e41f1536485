"""What is looked up for each image is looked up by the image: SQLite keeps no statistics and would walk every task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import QuerySet

from annotation.models import Stage
from engine.audit import images_to_audit
from engine.models import ModelVersion
from engine.stages.running import images_waiting
from engine.uncertainty import images_to_measure

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL knows how many rows there are")


def lookups(query: QuerySet) -> Iterator[str]:
    """How each subquery that is asked anew for every row finds its rows."""
    sql, values = query.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        plan = cursor.fetchall()
    for_each = {step for step, _, _, words in plan if words.startswith("CORRELATED")}
    yield from (words for _, parent, _, words in plan if parent in for_each)


@pytest.fixture
def version(cast):
    return ModelVersion.objects.create(digest="a" * 64, name="first", variant="anymask_compact")


@pytest.mark.parametrize("stage", [Stage.SEMI_AUTOMATIC, Stage.FULLY_AUTOMATIC])
def test_images_that_wait_for_the_machine(cast, version, stage):
    cast.dataset.stage = stage
    check(images_waiting(cast.dataset, version), at_least=3)


def test_images_whose_doubts_are_to_be_measured(cast, version):
    check(images_to_measure(cast.dataset.pk, version), at_least=3)


@pytest.mark.parametrize("source", ["automatic", "human"])
def test_images_that_an_audit_draws_from(cast, source):
    check(images_to_audit(cast.dataset, source), at_least=2)


def check(query: QuerySet, at_least: int) -> None:
    found = [words for words in lookups(query) if not words.endswith("LEFT-JOIN")]
    assert len(found) >= at_least
    assert [words for words in found if "image_id=?" not in words] == []
