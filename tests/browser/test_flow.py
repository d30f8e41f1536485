"""Through the queue: skip, nothing to mask, back, the nudge, active time, what is fetched beforehand."""

from __future__ import annotations

import re

from playwright.sync_api import expect

NOSE = (225, 175)


def to_another(editor) -> None:
    editor.page.wait_for_url(re.compile(rf"/images/(?!{editor.image['id']}$)\d+$"))
    editor.page.locator(".editor").wait_for()


def task_of(editor) -> dict:
    return editor.get(f"/api/images/{editor.image['id']}/changes/")["task"]


def test_a_skip_wants_a_reason_and_goes_on(editor):
    editor.press("Control+Space")
    dialog = editor.page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Skip and open the next")).to_be_disabled()
    dialog.get_by_role("button", name="Too hard for me").click()
    dialog.get_by_role("button", name="Skip and open the next").click()
    to_another(editor)
    assert task_of(editor)["state"] == "skipped"


def test_nothing_to_mask_is_an_answer_and_the_time_is_stored(editor):
    editor.page.mouse.move(*editor.at(100, 100))
    editor.page.wait_for_timeout(1200)
    editor.page.mouse.move(*editor.at(120, 100))
    task = task_of(editor)["id"]
    before = editor.get(f"/api/tasks/{task}/")["seconds"]
    editor.press("Control+Shift+Enter")
    to_another(editor)
    told = editor.get(f"/api/tasks/{task}/")
    assert (told["state"], told["answer"]) == ("submitted", "nothing_left")
    assert told["seconds"] >= before + 1


def test_the_keys_go_on_at_the_picture_of_the_next_image(editor):
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("Control+Shift+Enter")
    to_another(editor)
    expect(editor.page.locator("canvas[data-layer=overlay]")).to_be_focused()


def test_back_leads_to_the_image_before_and_forward_again(editor):
    editor.press("Control+Shift+Enter")
    to_another(editor)
    there = editor.page.url
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("Control+ArrowLeft")
    editor.page.wait_for_url(f"**/images/{editor.image['id']}")
    editor.ready()
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("Control+ArrowRight")
    editor.page.wait_for_url(there)


def test_the_next_image_is_fetched_while_this_one_is_worked_on(editor):
    task = editor.post(f"/api/images/{editor.image['id']}/task/")
    following = task["upcoming"][0]
    editor.page.wait_for_function(
        """id => {
            const seen = performance.getEntriesByType("resource").map((one) => new URL(one.name).pathname);
            return [`/api/images/${id}/file/`, `/api/images/${id}/changes/`, `/api/images/${id}/embedding/`]
                .every((path) => seen.includes(path));
        }""",
        arg=following,
    )


def test_a_word_after_half_a_minute_on_a_mask_which_can_be_switched_off(guest, editor):
    editor.page.clock.install()
    editor.page.reload()
    editor.page.clock.run_for(2000)
    editor.ready()
    editor.page.mouse.click(*editor.at(*NOSE))
    editor.page.clock.run_for(2000)
    editor.answered()
    for _ in range(3):
        editor.page.clock.run_for(11_000)
        editor.page.mouse.move(*editor.at(100, 100))
        editor.page.mouse.move(*editor.at(110, 100))
    editor.page.clock.run_for(2000)
    nudge = editor.page.locator(".nudge")
    expect(nudge).to_contain_text("Half a minute on this mask")
    nudge.get_by_role("button", name="Don't say this again").click()
    expect(nudge).to_have_count(0)


def test_the_picture_can_be_adjusted_measured_and_surveyed(editor):
    page = editor.page
    editor.press("i")
    panel = page.get_by_role("region", name="Picture and view")
    panel.get_by_label("Gamma").fill("2")
    panel.get_by_role("button", name="Grey").click()
    picture = page.locator("canvas[data-layer=image]")
    expect(picture).to_have_css("filter", re.compile("picture-look"))
    panel.get_by_role("button", name="Reset").click()
    expect(picture).to_have_css("filter", "none")
    panel.get_by_label("One pixel is").fill("0.5")
    expect(page.locator(".scale-bar")).to_contain_text("µm")
    panel.get_by_label("Overview in the corner").check()
    panel.get_by_role("button", name="Close").click()
    overview = page.get_by_role("img", name="Overview of the picture")
    box = overview.bounding_box()
    before = page.locator(".scale-bar").inner_text()
    page.mouse.move(*editor.at(100, 100))
    for _ in range(6):
        page.mouse.wheel(0, -300)
    expect(page.locator(".scale-bar")).not_to_have_text(before)
    page.mouse.click(box["x"] + box["width"] - 6, box["y"] + box["height"] - 6)
    assert editor.masks() == []


def test_the_measured_times_are_shown_when_asked_for(editor):
    panel = editor.page.get_by_role("region", name="Measured times")
    expect(panel).to_have_count(0)
    editor.press("Control+Shift+l")
    editor.click(*NOSE)
    for name in ("decode", "promptToPainted", "paint"):
        expect(panel.locator(f"[data-times={name}] td").first).not_to_have_text("0")
    expect(panel).to_contain_text("threads on")
    panel.get_by_role("button", name="Count anew").click()
    expect(panel.locator("[data-times=decode] td").first).to_have_text("0")
