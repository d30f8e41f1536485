"""What is exported is what was on the screen."""

from __future__ import annotations

import json

import numpy as np
from playwright.sync_api import expect
from pycocotools.coco import COCO

from tests.browser.editor import until

# Alpha of the mask layer at the centre of every image pixel, as rows of 0 and 1.
READ_SCREEN = """([left, top, scale, width, height]) => {
  const canvas = document.querySelector("canvas[data-layer=masks]");
  const ratio = canvas.width / canvas.clientWidth;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const column = Math.floor((left + (x + 0.5) * scale) * ratio);
      const row = Math.floor((top + (y + 0.5) * scale) * ratio);
      return data[(row * canvas.width + column) * 4 + 3] > 0 ? 1 : 0;
    }).join("")
  );
}"""


def on_screen(editor) -> np.ndarray:
    """Bool, height x width in image pixels: covered by any mask on the screen."""
    box = editor._canvas()
    left, top = editor.at(0, 0)
    geometry = [left - box["x"], top - box["y"], editor.scale(), editor.image["width"], editor.image["height"]]
    rows = editor.page.evaluate(READ_SCREEN, geometry)
    return np.array([[value == "1" for value in row] for row in rows])


def test_the_coco_export_equals_the_screen(editor, tmp_path):
    editor.click(225, 175)
    editor.press("3", "Enter")
    editor.press("b", "]", "]", "]", "]", "]")
    editor.drag((100, 200), (160, 220))
    editor.press("Enter")
    editor.press("h", "h")
    editor.saved()
    expect(editor.rows).to_have_count(2)
    looks = until(
        editor.page,
        lambda: (on_screen(editor), on_screen(editor)),
        lambda twice: bool(twice[0].any()) and np.array_equal(*twice),
    )
    seen = looks[1]

    archive = editor.exported()
    name = next(
        name for name in archive.namelist() if name.endswith(".json") and b'"annotations"' in archive.read(name)
    )
    path = tmp_path / "coco.json"
    path.write_bytes(archive.read(name))
    coco = COCO(str(path))
    (image_id,) = (row["id"] for row in json.loads(path.read_text())["images"] if row["file_name"].endswith("cat.png"))
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image_id]))
    assert len(annotations) == 2
    exported = np.any([coco.annToMask(one) for one in annotations], axis=0)
    assert exported.shape == seen.shape
    assert (exported == seen).mean() > 0.9995
    assert (exported & seen).sum() / (exported | seen).sum() > 0.99


def test_a_bound_is_the_number_that_was_typed(page):
    page.goto("/datasets/1/export")
    page.get_by_text("Filters: everything accepted").click()
    for end, typed in (("Audit IoU from", "0.05"), ("Audit IoU to", "0.905")):
        page.get_by_label(end).press_sequentially(typed)
        page.keyboard.press("Tab")  # what is shown from here on is what counts
        expect(page.get_by_label(end)).to_have_value(typed)
