"""The list of masks: many of them, locks, order, names, copies, older versions."""

from __future__ import annotations

import uuid
from functools import partial

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle
from tests.browser.editor import until

MANY = 200


def disc(editor, x: float, y: float, radius: float) -> dict:
    rows, columns = np.mgrid[: editor.image["height"], : editor.image["width"]]
    return dict(rle.encode((columns - x) ** 2 + (rows - y) ** 2 <= radius**2))


@pytest.fixture
def three(editor):
    """Three masks side by side: cat, dog, and one without a name."""
    for place, name in enumerate(("cat", "dog", "")):
        editor.put(str(uuid.uuid4()), segmentation=disc(editor, 60 + 110 * place, 150, 40), category=name)
    expect(editor.rows).to_have_count(3)  # without a reload
    return editor


def row(editor, name: str):
    """Rows of current masks; those in the bin are not meant."""
    return editor.rows.filter(has_text=name)


def colours(editor) -> list[tuple[int, ...]]:
    """The colour of each mask in the middle of its disc, from the canvas."""
    script = """points => points.map(([x, y]) => {
        const canvas = document.querySelector("canvas[data-layer=masks]");
        const box = canvas.getBoundingClientRect();
        const at = [(x - box.left) * canvas.width / box.width, (y - box.top) * canvas.height / box.height];
        return [...canvas.getContext("2d").getImageData(Math.round(at[0]), Math.round(at[1]), 1, 1).data];
    })"""
    points = [editor.at(60 + 110 * place, 150) for place in range(3)]
    return [tuple(pixel) for pixel in editor.page.evaluate(script, points)]


def test_no_two_masks_share_a_colour_and_a_hidden_one_is_gone(three):
    read = partial(colours, three)
    until(three.page, read, lambda painted: len(set(painted)) == 3 and all(pixel[3] > 0 for pixel in painted))
    three.page.get_by_role("button", name="Hide dog").click()
    expect(three.page.get_by_role("button", name="Show dog")).to_be_visible()
    until(three.page, read, lambda painted: [pixel[3] > 0 for pixel in painted] == [True, False, True])
    three.page.reload()
    three.ready()
    expect(three.page.get_by_role("button", name="Show dog")).to_be_visible()  # remembered here


def test_a_locked_mask_cannot_be_changed_until_it_is_unlocked(three):
    row(three, "cat").locator(".mask-row__main").click()
    three.page.locator("canvas[data-layer=overlay]").focus()
    three.press("Shift+L", "Delete")
    expect(three.page.get_by_text("This mask is locked", exact=False).first).to_be_visible()
    expect(three.rows).to_have_count(3)
    three.press("Shift+L", "Delete")
    expect(three.rows).to_have_count(2)


def test_order_and_copies(three):
    row(three, "cat").locator(".mask-row__main").click()
    three.page.get_by_role("button", name="Move up").click()
    expect(three.rows.nth(1)).to_contain_text("cat")
    three.page.get_by_role("button", name="Duplicate").click()
    expect(row(three, "cat")).to_have_count(2)
    three.saved()
    names = sorted(mask["category"] for mask in three.masks())
    assert names == ["", "cat", "cat", "dog"]


def test_a_name_is_offered_from_those_in_use(three):
    three.rows.first.locator(".mask-row__main").click()
    field = three.page.locator(".side__detail").get_by_label("Category")
    expect(field).to_be_visible()
    offered = three.page.locator(".side__detail datalist option")
    expect(offered).to_have_count(2)
    assert {one.get_attribute("value") for one in offered.all()} == {"cat", "dog"}


def test_a_name_counts_when_a_button_or_another_mask_is_clicked_next(three):
    field = three.page.locator(".side__detail").get_by_label("Category")
    three.page.keyboard.press("v")
    row(three, "dog").locator(".mask-row__main").click()
    field.fill("hound")
    three.page.mouse.click(*three.at(60, 150))  # the cat, on the picture
    expect(field).to_have_value("cat")
    field.fill("kitten")
    three.page.locator(".side__tools").get_by_role("button", name="Duplicate").click()
    expect(row(three, "kitten")).to_have_count(2)
    three.saved()
    assert sorted(mask["category"] for mask in three.masks()) == ["", "hound", "kitten", "kitten"]


def test_an_older_version_is_shown_beside_the_newest_and_can_come_back(three):
    (cat,) = (mask for mask in three.masks() if mask["category"] == "cat")
    three.put(str(uuid.uuid4()), segmentation=disc(three, 60, 150, 20), category="kitten", parent=cat["id"])
    row(three, "kitten").locator(".mask-row__main").click()
    three.page.locator("canvas[data-layer=overlay]").focus()
    three.press("Shift+H")
    dialog = three.page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_have_count(2)
    expect(dialog).to_contain_text("25 % of their pixels in common")
    dialog.get_by_role("button", name="Restore").click()
    expect(row(three, "cat")).to_have_count(1)
    three.saved()
    (back,) = (mask for mask in three.masks() if mask["category"] == "cat")
    assert back["segmentation"] == cat["segmentation"]
    assert back["id"] != cat["id"]


def test_proposals_are_locked_until_asked_for_and_kept_by_one_click(editor, site):
    runs = disc(editor, 100, 100, 30)
    site.manage(
        "shell",
        "-c",
        "from annotation.models import Image; from annotation.services.masks import masks_add; "
        f"image = Image.objects.get(pk={editor.image['id']}); "
        f"masks_add(image=image, records=[{{'segmentation': {runs!r}}}], stage='semi_automatic', source='model', "
        "status='proposed')",
    )
    expect(editor.page.locator(".side__proposals")).to_contain_text("1 mask proposed by the model")
    expect(editor.page.get_by_role("button", name="Unlock Mask 1")).to_be_visible()
    editor.page.get_by_role("button", name="Keep all").click()
    expect(editor.page.locator(".side__proposals")).to_have_count(0)
    editor.saved()
    (mask,) = editor.masks()
    assert (mask["status"], mask["created_by"], mask["source"]) == ("accepted", "demo", "model")


def test_two_hundred_masks_load_are_selected_and_hidden(editor):
    random = np.random.default_rng(1)
    for number in range(MANY):
        x, y = random.uniform(20, editor.image["width"] - 20), random.uniform(20, editor.image["height"] - 20)
        editor.put(str(uuid.uuid4()), segmentation=disc(editor, x, y, random.uniform(4, 18)), category=f"n{number}")
    editor.open()
    expect(editor.page.locator(".side__head")).to_contain_text(str(MANY))
    assert 10 < editor.rows.count() < 60, "only the rows in sight are in the document"
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("PageUp")  # the last of the list, far out of sight
    expect(row(editor, "n0").first).to_have_class("mask-row mask-row--selected")
    expect(row(editor, "n0").first).to_be_in_viewport()
    editor.press("Alt+h")
    expect(editor.page.get_by_role("button", name="Show n0", exact=True)).to_be_visible()
    editor.press("h")
    # A function, not an expression: the site's policy refuses `eval`, by which an expression would be asked again.
    drawn = """wanted => {
        const canvas = document.querySelector("canvas[data-layer=masks]");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.some((value) => value > 0) === wanted;
    }"""
    editor.page.wait_for_function(drawn, arg=False)
    editor.press("h")
    editor.page.wait_for_function(drawn, arg=True)
