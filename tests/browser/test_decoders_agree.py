"""The decoder in the browser and the one in Python give the same masks, prompt by prompt, feeding included."""

from __future__ import annotations

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame
from modelzoo.onnx_decoder import OnnxDecoder
from tests.browser.editor import Editor, as_demo
from tests.browser.site import random_sam, running

PLACES = [(225, 175), (155, 105), (60, 250), (400, 60)]


@pytest.fixture
def decode(editor, tmp_path):
    return twin_of(editor, tmp_path)


def twin_of(editor, folder):
    """Decodes a mask's recorded prompts in Python, with the graph of the whole decoder."""
    answer = editor.get(f"/api/images/{editor.image['id']}/embedding/")
    path = folder / "decoder.onnx"
    path.write_bytes(editor.page.request.get(answer["decoder_url"]).body())
    decoder = OnnxDecoder(path)
    frame = Frame(**{name: tuple(size) for name, size in answer["frame"].items()})
    embedding = Embedding.from_bytes(editor.page.request.get(answer["url"]).body(), answer["layout"], frame)

    def run(prompts: list[dict], token: int) -> np.ndarray:
        mask_input = None
        for count in range(1, len(prompts) + 1):
            given = prompts[:count]
            points = [[p["x"], p["y"]] for p in given if p["type"] == "point"]
            boxes = [[p[key] for key in ("x0", "y0", "x1", "y1")] for p in given if p["type"] == "box"]
            fed_next = prompts[count].get("fed") if count < len(prompts) else token
            prediction = decoder.decode(
                embedding,
                points=np.array(points) if points else None,
                labels=np.array([p["label"] for p in given if p["type"] == "point"]) if points else None,
                box=np.array(boxes[-1]) if boxes else None,
                mask_input=mask_input,
                multimask=fed_next != 0,
            )
            place = max(0, (fed_next or 0) - 1)
            mask_input = prediction.low_res_logits[place][None]
        return prediction.masks[place]

    return run


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def check(editor, decode) -> None:
    editor.saved()
    masks = editor.masks()
    assert masks
    for mask in masks:
        token = mask["candidates"][mask["chosen"]]["token"]
        assert iou(rle.decode(mask["segmentation"]), decode(mask["prompts"], token)) >= 0.99


def test_one_click_every_reading(editor, decode):
    made = 0
    for place in PLACES:
        for key in "123":
            editor.click(*place)
            editor.press(key, "Enter")
            made += 1
            if editor.page.locator(".strip").count():  # this reading is empty: nothing to accept
                editor.press("Escape")
                made -= 1
    assert made >= 4
    check(editor, decode)


def test_boxes(editor, decode):
    editor.press("r")
    for corner in ((110, 60), (40, 120), (200, 20)):
        editor.drag(corner, (corner[0] + 90, corner[1] + 80))
        editor.answered()
        editor.press("Enter")
    check(editor, decode)


def test_several_clicks_with_the_previous_mask_fed_back(editor, decode):
    editor.click(225, 175)
    editor.press("2")
    editor.click(240, 165)
    editor.click(200, 140, button="right")
    editor.press("Enter")
    check(editor, decode)
    fed = [prompt["fed"] for prompt in editor.masks()[0]["prompts"]]
    assert fed[0] is None
    assert None not in fed[1:]


def test_a_decoder_that_comes_as_one_graph(editor, decode):
    """As those of versions that an earlier release registered."""

    def without_parts(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers={k: v for k, v in answer.headers.items() if k != "x-decoder-parts"})

    asked = []
    editor.page.on("request", lambda request: asked.append(request.url))
    editor.page.route("**/decoder/", lambda route: without_parts(route))
    editor.page.reload()
    editor.ready()
    editor.click(*PLACES[0])
    editor.click(PLACES[0][0] + 20, PLACES[0][1])
    editor.press("Enter")
    check(editor, decode)
    assert any(url.endswith(".wasm") and "ort-" in url for url in asked)


def test_the_default_model_needs_no_runtime_but_our_own_program(editor):
    asked = []
    editor.page.on("request", lambda request: asked.append(request.url))
    editor.page.reload()
    editor.ready()
    editor.click(*PLACES[0])
    editor.press("Enter")
    editor.saved()
    assert [url for url in asked if url.endswith("/decoder/weights/")]
    assert not [url for url in asked if "ort-" in url]
    (fused,) = {url for url in asked if url.endswith("decoder-fused.wasm")}
    # So it is this build that the tests of this file compare with Python.
    assert editor.page.evaluate("async (url) => WebAssembly.validate(await (await fetch(url)).arrayBuffer())", fused)


def test_a_sam_decoder_in_parts(browser, tmp_path):
    """A site with a SAM of random weights: clicks, and clicks that feed a mask back with its padding."""
    with running(tmp_path / "site", ANYMASK_MODEL=str(random_sam(tmp_path))) as site:
        page = as_demo(browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900}).new_page())
        editor = Editor(page, "chelsea the cat.png")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        editor.open()
        for place in PLACES[:2]:
            editor.click(*place)
            editor.press("Enter")
            editor.click(*place)
            editor.click(place[0] + 30, place[1] + 20)
            editor.click(place[0] - 40, place[1] + 10, button="right")
            editor.press("Enter")
        check(editor, twin_of(editor, tmp_path))
        assert {url.split("/")[-2] for url in asked if "/decoder/" in url} >= {"views", "prompts"}
        page.context.close()


def test_the_server_answers_where_the_browser_cannot(editor):
    """The same click, decoded on the server by choice: the same mask within rounding."""
    editor.click(*PLACES[0])
    editor.press("3", "Enter")
    editor.saved()
    (local,) = editor.masks()
    editor.clear()
    editor.page.evaluate("localStorage.setItem('anymask.decode', 'server')")
    editor.page.reload()
    editor.ready()
    editor.click(*PLACES[0])
    editor.press("3", "Enter")
    editor.saved()
    (remote,) = editor.masks()
    assert remote["model"] == local["model"]
    assert iou(rle.decode(local["segmentation"]), rle.decode(remote["segmentation"])) >= 0.99


def test_without_webassembly_the_server_takes_over(editor):
    editor.page.route("**/assets/runtime-*/*", lambda route: route.abort())
    editor.page.reload()
    editor.ready()
    editor.click(*PLACES[0])
    editor.press("Enter")
    editor.saved()
    assert len(editor.masks()) == 1
