"""Two annotators on one image: one works, the other sees it live; a conflict shows both versions and asks."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.editor import Editor

NOSE, EYE = (225, 175), (155, 105)


@pytest.fixture
def rae(sign_in, editor):
    """Rae's browser, on the same image."""
    return Editor(sign_in("rae"), "chelsea the cat.png")


def test_who_comes_second_reads_and_sees_every_change_without_a_reload(editor, rae):
    rae.page.goto(f"/images/{rae.image['id']}")
    banner = rae.page.locator(".stage__banner")
    expect(banner).to_contain_text("demo is working on this image")
    editor.click(*NOSE)
    editor.press("Enter")
    expect(rae.rows).to_have_count(1)
    editor.press("Control+z")
    expect(rae.rows).to_have_count(0)


def test_the_image_is_free_for_the_second_as_soon_as_the_first_gives_it_back(editor, rae):
    rae.page.goto(f"/images/{rae.image['id']}")
    expect(rae.page.locator(".stage__banner")).to_contain_text("demo is working on this image")
    editor.page.get_by_role("link", name="Back to Sample pictures").click()  # untouched: given back
    rae.page.get_by_role("button", name="Take it up").click()
    rae.ready()
    rae.page.goto("/")  # untouched as well
    editor.open()


def conflict(editor, rae):
    """Demo names a mask "nose" while the line is down and Rae corrects the same mask."""
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    editor.rows.first.locator(".mask-row__main").click()
    editor.page.context.set_offline(True)
    theirs = str(uuid.uuid4())
    rae.put(theirs, segmentation=mask["segmentation"], parent=mask["id"], category="snout")
    editor.page.locator(".side__detail").get_by_label("Category").fill("nose")
    editor.press("Enter")
    expect(editor.page.locator(".side__foot")).to_contain_text("waiting")
    editor.page.context.set_offline(False)
    editor.page.get_by_role("button", name="1 mask needs you").click()
    dialog = editor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Somebody corrected this mask meanwhile")
    expect(dialog.get_by_role("img")).to_have_count(2)
    return theirs, dialog


def current(editor):
    return {(mask["category"], mask["created_by"]) for mask in editor.masks()}


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ("Keep mine", {("nose", "demo")}),
        ("Keep theirs", {("snout", "rae")}),
        ("Keep both", {("nose", "demo"), ("snout", "rae")}),
    ],
)
def test_a_conflict_shows_both_versions_and_does_what_is_chosen(editor, rae, choice, left):
    _theirs, dialog = conflict(editor, rae)
    dialog.get_by_role("button", name=choice).click()
    expect(dialog).to_contain_text("All settled")
    dialog.get_by_role("button", name="Done").click()
    editor.saved()
    expect(editor.rows).to_have_count(len(left))
    assert current(editor) == left
    for name, _author in left:
        expect(editor.rows.filter(has_text=name)).to_have_count(1)


def test_work_that_builds_on_a_mask_in_conflict_waits_for_the_decision(editor, rae):
    theirs, dialog = conflict(editor, rae)
    dialog.get_by_role("button", name="Done").click()  # not yet
    editor.page.locator(".side__detail").get_by_label("Category").fill("nostrils")
    editor.press("Enter")
    editor.page.get_by_role("button", name="1 mask needs you").click()
    dialog.get_by_role("button", name="Keep mine").click()
    dialog.get_by_role("button", name="Done").click()
    editor.saved()
    assert current(editor) == {("nostrils", "demo")}
    assert theirs not in {mask["id"] for mask in editor.masks()}
