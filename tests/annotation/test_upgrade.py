"""An installation of the first release, with data, becomes one of today: every row is there and everything works."""

from __future__ import annotations

import json

import pytest

from tests.annotation.test_backups import elsewhere_folder  # noqa: F401  an installation of its own

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = [("annotation", "0002_cache_table"), ("engine", "0001_initial")]
FILL = """
import os, sys, django, json, uuid, datetime
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
first = {first!r}
executor = MigrationExecutor(connection)
others = [node for node in executor.loader.graph.leaf_nodes() if node[0] not in ("annotation", "engine")]
executor.migrate([*others, *first])
old = MigrationExecutor(connection).loader.project_state(first + others).apps
get = old.get_model
user = get("auth", "User").objects.create(username="ana", password="x")
dataset = get("annotation", "Dataset").objects.create(name="Old", description="kept", created_by=user)
get("annotation", "Member").objects.create(dataset=dataset, user=user, role="lead")
masks = {{}}
for number in range(20):
    image = get("annotation", "Image").objects.create(
        dataset=dataset, file_name=f"{{number}}.jpg", sha256=f"{{number:064x}}", width=60, height=40, byte_size=9,
        media_type="image/jpeg", split="train", original_path="o", display_path="d", thumbnail_path="t",
    )
    state = ("open", "submitted", "skipped")[number % 3]
    task = get("annotation", "Task").objects.create(image=image, kind="annotate", state=state, seconds=number)
    runs = {{"size": [40, 60], "counts": [number, 7, 2393 - number]}}
    fields = dict(image=image, segmentation=runs, bbox=[0, 0, 1, 1], area=7, source="hand", created_by=user, task=task)
    one = get("annotation", "Mask").objects.create(**fields, status="superseded")
    two = get("annotation", "Mask").objects.create(**fields, parent=one, prompts=[{{"type": "point"}}])
    masks |= {{str(row.uuid): [runs, row.status, row.parent_id] for row in (one, two)}}
get("annotation", "Job").objects.create(kind="export", title="Old", queue="io", state="failed", dataset=dataset)
version = get("engine", "ModelVersion").objects.create(
    digest="a" * 64, name="old", variant="x", state="base", is_default=True, checkpoint_path="c", decoder_path="d"
)
get("engine", "ServingModel").objects.create(dataset=dataset, version=version)
print(json.dumps(masks))
"""
LOOK = """
import django, json
django.setup()
from django.contrib.auth.models import User
from annotation.models import Dataset, Image, Job, Mask, Task
from annotation.services import masks, tasks
from annotation.services.masks import mask_history
from engine.models import ModelVersion
from modelzoo import rle
dataset, user = Dataset.objects.get(name="Old"), User.objects.get(username="ana")
task = tasks.task_claim_next(dataset=dataset, user=user)
tasks.task_submit(task=task, lease=task.lease, seconds=1, answer="done")
newest = Mask.objects.filter(image=task.image, status="accepted").get()
print(json.dumps({
    "masks": {str(row.uuid): [row.segmentation, row.status, row.parent_id] for row in Mask.objects.all()},
    "history": len(mask_history(mask=newest)),
    "images": Image.objects.count(), "tasks": Task.objects.filter(kind="annotate").count(),
    "seconds": sum(Task.objects.exclude(pk=task.pk).values_list("seconds", flat=True)) + task.seconds,
    "description": dataset.description, "lead": dataset.members.get().role,
    "failed": Job.objects.get(title="Old").state,
    "default": ModelVersion.objects.get(is_default=True).name,
}))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)  # two hundred migrations on a machine that may be busy
def test_nothing_is_lost_on_the_way_from_the_first_release(elsewhere):
    filled = elsewhere("-c", FILL.format(first=FIRST))
    assert filled.returncode == 0, filled.stderr[-2000:]
    upgraded = elsewhere("manage.py", "migrate", "--verbosity", "0")
    assert upgraded.returncode == 0, upgraded.stderr[-2000:]
    assert elsewhere("manage.py", "migrate", "--check").returncode == 0, "nothing is left to be done"
    looked = elsewhere("-c", LOOK)
    assert looked.returncode == 0, looked.stderr[-2000:]
    told = json.loads(looked.stdout.splitlines()[-1])
    assert told.pop("masks") == json.loads(filled.stdout.splitlines()[-1])
    assert told == {
        "history": 2,
        "images": 20,
        "tasks": 20,
        "seconds": sum(range(20)),
        "description": "kept",
        "lead": "lead",
        "failed": "failed",
        "default": "old",
    }


def test_the_models_say_what_the_migrations_made(db):
    """A field that was changed without its migration would be found by the first operator who upgrades."""
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")
