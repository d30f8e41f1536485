"""Masks are described once on the page; then each leads to its like, and those to the editor."""

from __future__ import annotations

import re
import uuid

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle

DESCRIBED_MS = 120_000  # the worker has other work, and the machine too


@pytest.fixture
def three(editor) -> dict[str, str]:
    """Name -> id of three masks on the cat: two of its fur, one of what is behind it."""
    made = {}
    for name, x, y in (("fur", 160, 120), ("more fur", 260, 130), ("behind", 420, 40)):
        array = np.zeros((editor.image["height"], editor.image["width"]), bool)
        array[y - 25 : y + 25, x - 25 : x + 25] = True
        made[name] = str(uuid.uuid4())
        editor.put(made[name], segmentation=dict(rle.encode(array)), category=name)
    return made


AGED = """
from datetime import timedelta
from django.utils import timezone
from annotation.models import Mask
Mask.objects.filter(uuid__in={ids}).update(created_at=timezone.now() - timedelta(minutes=5))
"""


def test_from_a_mask_to_its_like_and_into_the_editor(site, editor, three, complaints):
    page = editor.page
    site.manage("shell", "-c", AGED.format(ids=list(three.values())))  # a mask is described a minute after it was saved
    page.goto("/datasets/1/objects/alike")
    page.get_by_role("button", name="Describe the masks").click()
    expect(page.get_by_text("searched in")).to_be_visible(timeout=DESCRIBED_MS)
    page.goto(f"/datasets/1/objects/alike?like={three['fur']}")
    cards = page.locator(".found > li")
    expect(cards.first).to_contain_text("This one")
    expect(cards.first).to_contain_text("fur")
    expect(page.get_by_role("link", name=re.compile("at this more fur$"))).to_be_visible(timeout=DESCRIBED_MS)
    told = [float(one.inner_text()) for one in page.locator(".found [title^='Cosine']").all()]
    assert len(told) >= 2
    assert told == sorted(told, reverse=True)
    names = page.locator(".found b").all_inner_texts()
    assert names.index("more fur") < names.index("behind")
    page.get_by_role("link", name=re.compile("at this behind$")).click()
    expect(page).to_have_url(re.compile(rf"/images/{editor.image['id']}\?mask={three['behind']}"))
    editor.ready()
    expect(page.locator(".side__detail").get_by_label("Category")).to_have_value("behind")
    assert complaints == []
