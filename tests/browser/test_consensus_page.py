"""Two people's masks of one picture: a lead sees both with their agreement, takes one of them, and takes it back."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

# Rae masked a box, Ben the same a little to the right and a second one; as if both had submitted.
SCENE = """
import json, uuid, numpy as np
from django.contrib.auth.models import User
from annotation.models import Dataset, Mask, Task
from annotation.services.comparing import comparison_make
from modelzoo import rle

dataset = Dataset.objects.get(name="Sample pictures")
image = dataset.images.order_by("-pk").first()
rae, ben = (User.objects.get(username=name) for name in ("rae", "ben"))
task = Task.objects.create(image=image, kind="overlap", state="submitted", assignee=ben)

def box(x, y, size, **fields):
    array = np.zeros((image.height, image.width), bool)
    array[y : y + size, x : x + size] = True
    drawn = rle.encode(array)
    Mask.objects.create(uuid=uuid.uuid4(), image=image, segmentation=drawn, bbox=rle.bbox(drawn),
                        area=rle.area(drawn), source="hand", **fields)

box(20, 20, 60, created_by=rae)
box(30, 20, 60, created_by=ben, task=task, status="compared")
box(120, 90, 30, created_by=ben, task=task, status="compared")
comparison_make(task=task)
print(json.dumps({"dataset": dataset.pk, "task": task.pk, "image": image.pk}))
"""

GONE = """
from annotation.models import Mask, Task
Mask.objects.filter(image={image}).delete()
Task.objects.filter(pk={task}).delete()
"""


@pytest.fixture
def scene(site):
    site.add_people(rae="annotator", ben="annotator")
    made = json.loads(site.manage("shell", "-v0", "-c", SCENE).splitlines()[-1])
    yield made
    site.manage("shell", "-v0", "-c", GONE.format(**made))


def areas(page, scene) -> list[int]:
    answer = page.request.get(f"/api/images/{scene['image']}/masks/").json()
    return sorted(mask["area"] for mask in answer)


def test_a_lead_takes_both_together_for_all_above_a_threshold_and_undoes_it(page, scene):
    page.goto(f"/datasets/{scene['dataset']}/quality")
    page.locator("a[href*='/overlaps/']").first.click()
    first, second = (page.get_by_role("list", name="Objects").get_by_role("listitem").nth(n) for n in (0, 1))
    expect(first).to_contain_text("IoU 0.714")
    expect(first).to_contain_text("boundary IoU")
    expect(first.get_by_role("img")).to_have_count(2)
    expect(second).to_contain_text("only B has it")

    page.get_by_label("IoU of at least").fill("0.7")
    page.get_by_label("take", exact=True).select_option("union")
    page.get_by_role("button", name="Decide 1 object").click()
    expect(first).to_contain_text("both together were taken")
    assert areas(page, scene) == [70 * 60]

    page.get_by_role("button", name="Undo the last decision").click()
    expect(first.get_by_role("button", name="Take B")).to_be_visible()
    assert areas(page, scene) == [60 * 60]

    second.get_by_role("button", name="Take B").click()
    expect(page.get_by_role("list", name="Objects")).to_contain_text("B was taken")
    assert areas(page, scene) == [30 * 30, 60 * 60]
