"""Two versions of a model asked the same: by a job about accepted masks, and by hand."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle

COMPARED_MS = 180_000
# The same weights under another digest: every answer must be the same.
TWIN = """
import shutil
from annotation import storage
from annotation.models import Dataset
from engine.models import ModelVersion
base = ModelVersion.objects.get(is_default=True)
folder = storage.path_for("models", "c" * 64)
shutil.copytree(storage.full(storage.path_for("models", base.digest)), storage.full(folder))
ModelVersion.objects.create(
    digest="c" * 64, name="twin", variant=base.variant, state="refused", dataset=Dataset.objects.first(), parent=base,
    checkpoint_path=f"{folder}/{base.checkpoint_path.rpartition('/')[2]}", decoder_path=f"{folder}/decoder.onnx",
)
"""
PART = """
from engine.models import Embedding, ModelVersion, VersionComparison
VersionComparison.objects.all().delete()
Embedding.objects.filter(version__digest="c" * 64).delete()
ModelVersion.objects.filter(digest="c" * 64).delete()
"""


@pytest.fixture
def twin(site):
    """A second version, which is gone afterwards."""
    site.manage("shell", "-c", TWIN)
    yield
    site.manage("shell", "-c", PART)


def test_the_same_weights_answer_the_same(editor, twin, complaints):
    page, name = editor.page, editor.image["file_name"]
    array = np.zeros((editor.image["height"], editor.image["width"]), bool)
    array[60:220, 120:300] = True
    editor.put(str(uuid.uuid4()), segmentation=dict(rle.encode(array)))
    page.goto("/datasets/1/models/compare")
    page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Compare on 1 image").click()
    table = page.get_by_role("region", name="IoU with the accepted masks")
    expect(table).to_be_visible(timeout=COMPARED_MS)
    cells = table.get_by_role("row").filter(has_text="All masks").get_by_role("cell")
    told = cells.all_inner_texts()
    assert told[1] == told[2]
    assert told[4] == told[5]
    assert (told[3], told[6]) == ("±0.000", "±0.000")
    sides = page.get_by_role("region", name="Ask both versions")
    sides.locator("canvas").first.click(position={"x": 150, "y": 120})
    expect(sides.get_by_text("agree with IoU 1.000")).to_be_visible(timeout=COMPARED_MS)
    assert [message for message in complaints if "503" not in message] == []  # while the picture is prepared
