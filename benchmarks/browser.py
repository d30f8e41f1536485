"""What an annotator feels, measured in headless Chromium on a running product.

The times are those of the panel of measured times (Ctrl+Shift+L), read from the page; only the frames while the picture
is moved are counted from outside. Two installations with databases of their own: the default model, and a SAM-shaped
one with random weights (256-channel 64 x 64 embedding), which costs what SAM's decoder costs and knows nothing.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from benchmarks.measure import Row
from modelzoo import rle
from tests.browser.editor import Editor, as_demo
from tests.browser.site import Site, chromium, random_sam, running, why_not

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
VIEWPORT = {"width": 1440, "height": 900}
PATIENCE = 120_000  # milliseconds; a busy machine is slow, not broken
PROMPTS = 40
ALONE_PROMPTS, WARM_UP = 200, 15
QUIET = 3000  # milliseconds in which what was fetched ahead is made ready
REST = 300  # milliseconds that a hand holds the pointer still before it clicks
SAVES = 12
NEXT = 11  # of the 13 sample pictures
LARGE = (4000, 3000)  # 12 megapixels
MANY = 200
CAT = "chelsea the cat.png"

# Collects the time from one frame to the next until it is asked for.
FRAMES = """() => {
    const times = window.frameTimes = [];
    let last = performance.now();
    const tick = (now) => { times.push(now - last); last = now; window.frameHandle = requestAnimationFrame(tick); };
    window.frameHandle = requestAnimationFrame(tick);
}"""

# Keeps what the page tells its decoder's worker about the runtime and its pictures.
TOLD = """
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        if (["start", "load"].includes(message?.kind)) (window.toldWorker ??= []).push(message);
        return post.call(this, message, ...rest);
    };
"""
# Asks a worker of its own, one click after the other, and gives what each took of the decoder, in milliseconds.
ALONE = """async ({ clicks, imageId }) => {
    const [url] = performance.getEntriesByType("resource").map(({ name }) => name)
        .filter((name) => name.includes("decoder.worker"));
    const worker = new Worker(url, { type: "module" });
    const told = (message) => new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => {
            if (data.kind === "failed") reject(new Error(data.message));
            else if (data.kind !== "best") resolve(data);
        };
        worker.postMessage(message);
    });
    worker.postMessage(window.toldWorker.find(({ kind }) => kind === "start"));
    await told(window.toldWorker.find(({ source }) => source?.imageId === imageId));
    const request = { imageId, labels: [1], box: null, feed: null, rough: null, purpose: "prompt" };
    const taken = [];
    for (const [x, y] of clicks) {
        const answer = await told({ kind: "decode", call: 1, request: { ...request, points: [{ x, y }] } });
        taken.push(answer.decoding);
    }
    worker.terminate();
    return taken;
}"""


def rows() -> Iterator[Row]:
    """All figures, as they come; none where there is no Chromium, which is said."""
    if reason := why_not():
        print(f"No browser figures: {reason}.", file=sys.stderr)
        return
    with product() as (site, browser):
        yield from default_model(site, browser)
        yield from many_masks(site, browser)
    with (
        tempfile.TemporaryDirectory() as folder,
        product(ANYMASK_MODEL=str(random_sam(Path(folder)))) as (site, browser),
    ):
        yield from sam_shaped(site, browser)


@contextmanager
def product(**environment: str) -> Iterator[tuple[Site, Any]]:
    """A running installation with the sample pictures, and a browser."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        running(Path(folder), **environment) as site,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield site, browser
        browser.close()


def signed_in(site: Site, browser: Any) -> Any:
    """A page of the demo account."""
    page = browser.new_context(base_url=site.url, viewport=VIEWPORT).new_page()
    page.add_init_script(TOLD)
    page.set_default_timeout(PATIENCE)
    return as_demo(page)


def opened(page: Any, name: str = CAT) -> Editor:
    """The editor on a picture, with the panel of measured times."""
    editor = Editor(page, name)
    editor.clear()
    editor.open()
    editor.press("Control+Shift+l")
    page.locator(".panel").wait_for()
    return editor


def times(editor: Editor, name: str) -> tuple[int, float, float]:
    """(samples, p50, p95) of one line of the panel, in milliseconds."""
    editor.page.wait_for_timeout(700)  # the panel looks twice a second
    cells = editor.page.locator(f".panel [data-times={name}] td").all_inner_texts()
    count, middle, high = (float(cell) if cell != "–" else float("nan") for cell in cells)
    return int(count), middle, high


def pair(title: str, editor: Editor, name: str, target: str = "") -> list[Row]:
    """The rows p50 and p95 of a line of the panel, with what else the machine had to do."""
    count, middle, high = times(editor, name)
    load = f"load {os.getloadavg()[0]:.1f}"
    return [
        Row(f"{title}, p50", middle, "ms", middle, count, note=load),
        Row(f"{title}, p95", high, "ms", high, count, note=f"{target}; {load}" if target else load),
    ]


def places(editor: Editor, count: int, seed: int) -> list[tuple[float, float]]:
    """Image points to click: not below the panel, which lies on the upper left of the picture."""
    shares = np.random.default_rng(seed).uniform((0.45, 0.15), (0.9, 0.8), (count, 2))
    return [(float(x * editor.image["width"]), float(y * editor.image["height"])) for x, y in shares]


def prompts(editor: Editor, count: int) -> None:
    """Click here and there, each time on an empty draft and waiting for the answer."""
    for place in places(editor, count, seed=0):
        editor.click(*place)
        editor.press("Escape")
        editor.page.locator(".strip").wait_for(state="detached")


def rested(editor: Editor, count: int) -> None:
    """The same by hand: the pointer rests on the object before it clicks, and the preview is seen."""
    mouse = editor.page.mouse
    for place in places(editor, count, seed=2):
        mouse.move(*editor.at(*place), steps=8)
        editor.page.wait_for_timeout(REST)
        mouse.down()
        mouse.up()
        editor.answered()
        editor.press("Escape")
        editor.page.locator(".strip").wait_for(state="detached")


def first(title: str, editor: Editor) -> Row:
    """The first prompt of a page that was just opened, which also compiles and allocates."""
    editor.page.reload()
    editor.ready()
    editor.press("Control+Shift+l")
    prompts(editor, 1)
    _, taken, _ = times(editor, "promptToPainted")
    return Row(f"{title}, first of the page", taken, "ms", taken, 1)


def counted_anew(editor: Editor) -> None:
    """What came before is in no figure."""
    editor.page.get_by_role("button", name="Count anew").click()


def clicks(editor: Editor, model: str, target: str, aim: str) -> list[Row]:
    """Prompt to painted (`target`): right after the pointer came, and after it rested; and what the decoder takes of it
    (`aim`)."""
    found = [first(f"browser: prompt to painted, {model}", editor)]
    prompts(editor, 2)
    editor.page.wait_for_timeout(QUIET)
    counted_anew(editor)
    before = processor_time(editor.page)
    prompts(editor, PROMPTS)
    spent = round((processor_time(editor.page) - before) / PROMPTS, 1)
    found += pair(f"browser: prompt to painted, {model}", editor, "promptToPainted", target)
    found += pair(f"browser: decode while the page draws, {model}", editor, "decode")
    found += pair(f"browser: answer with all masks, {model}", editor, "answer")
    found.append(
        Row(f"browser: processor time per prompt, all threads of the page, {model}", spent, "ms", spent, PROMPTS)
    )
    found += decoder_alone(editor, model, aim)
    counted_anew(editor)
    rested(editor, PROMPTS)
    return found + pair(f"browser: prompt to painted after {REST / 1000} s at rest, {model}", editor, "promptToPainted")


def decoder_alone(editor: Editor, model: str, aim: str) -> list[Row]:
    """The decoder in a worker while the page is still: the same clicks that others measure, with nobody drawing."""
    clicks = places(editor, ALONE_PROMPTS + WARM_UP, seed=3)
    taken = editor.page.evaluate(ALONE, {"clicks": clicks, "imageId": editor.image["id"]})[WARM_UP:]
    middle, high = (round(float(np.percentile(taken, share, method="higher")), 1) for share in (50, 95))
    load = f"load {os.getloadavg()[0]:.1f}"
    title = f"browser: decode with the page at rest, {model}"
    return [
        Row(f"{title}, p50", middle, "ms", middle, len(taken), note=load),
        Row(f"{title}, p95", high, "ms", high, len(taken), note=f"{aim}; {load}"),
    ]


def processor_time(page: Any) -> float:
    """Milliseconds that the page's process has had of any core, which hardly depends on what else runs."""
    processes = page.context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return float(max(1000 * one["cpuTime"] for one in processes if one["type"] == "renderer"))


def default_model(site: Site, browser: Any) -> list[Row]:
    """Prompt to painted, accept to saved, next image."""
    page = signed_in(site, browser)
    editor = opened(page)
    isolated = bool(page.evaluate("crossOriginIsolated"))
    found = [Row("browser: WebAssembly threads (isolated page)", float(isolated), "yes/no", float(isolated), 1)]
    found += clicks(editor, "default model", "target: under 50 ms", "aim: under 16 ms")
    accepted(editor, SAVES)
    found += pair("browser: accept to saved", editor, "save")
    found += pair("browser: next image, prefetched", through_the_queue(editor), "nextImage", "target: under 300 ms")
    page.context.close()
    return found


def accepted(editor: Editor, count: int) -> None:
    """Accept masks one by one, each saved before the next."""
    for place in places(editor, count, seed=1):
        editor.click(*place)
        editor.press("Enter")
        editor.saved()


def through_the_queue(editor: Editor) -> Editor:
    """Answer some images, each time when the next one has been fetched."""
    page = editor.page
    for _ in range(NEXT):
        here = page.url
        image = int(here.rsplit("/", 1)[1])
        following = next(one for one in editor.post(f"/api/images/{image}/task/")["upcoming"] if one != image)
        page.wait_for_function(
            """id => {
                const seen = performance.getEntriesByType("resource").map((one) => one.name);
                return [`/images/${id}/file/`, `/images/${id}/changes/`].every((part) =>
                    seen.some((name) => name.includes(part)));
            }""",
            arg=following,
        )
        wait_until(page, lambda image=following: embedded(editor, image))
        page.wait_for_timeout(2500)  # the embedding is on its way into the decoder's memory
        page.locator("canvas[data-layer=overlay]").focus()
        editor.press("Control+Shift+Enter")
        page.wait_for_url(lambda url, here=here: url != here)
        editor.ready()
    page.locator("canvas[data-layer=overlay]").focus()
    editor.press("Control+Shift+l")  # every image begins without the panel
    return editor


def embedded(editor: Editor, image: int) -> bool:
    """Whether the model has seen the image."""
    return bool(editor.get(f"/api/images/{image}/embedding/")["state"] == "ready")


def wait_until(page: Any, done: Callable[[], bool]) -> None:
    """Ask now and then, within the patience of the page."""
    for _ in range(PATIENCE // 500):
        if done():
            return
        page.wait_for_timeout(500)
    raise TimeoutError("The next image was not encoded.")


def sam_shaped(site: Site, browser: Any) -> list[Row]:
    """The same clicks with a decoder of SAM's size."""
    page = signed_in(site, browser)
    editor = opened(page)
    found = clicks(editor, "SAM-shaped decoder, random weights", "target: under 100 ms", "aim: under 50 ms")
    page.context.close()
    return found


def many_masks(site: Site, browser: Any) -> list[Row]:
    """200 masks on 12 megapixels: opening, moving, memory."""
    page = signed_in(site, browser)
    name = f"{LARGE[0]} x {LARGE[1]}"
    editor = large_image(page)
    wait_until(page, lambda: embedded(editor, editor.image["id"]))
    editor.open()
    page.locator(".side__head").get_by_text(str(MANY)).wait_for()
    page.wait_for_timeout(3000)  # smaller copies of the picture, tiles of the masks
    editor.press("Control+Shift+l")
    moved = frames(page, lambda: pan(editor))
    zoomed = frames(page, lambda: zoom(editor))
    count, middle, high = times(editor, "paint")
    found = [
        frame_row(f"browser: frame while panning, {MANY} masks, {name}, p50", moved, 0.5),
        frame_row(f"browser: frame while panning, {MANY} masks, {name}, p95", moved, 0.95),
        frame_row(f"browser: frame while zooming, {MANY} masks, {name}, p50", zoomed, 0.5),
        frame_row(f"browser: frame while zooming, {MANY} masks, {name}, p95", zoomed, 0.95),
        Row("browser: painting one such frame, p50", middle, "ms", middle, count),
        Row("browser: painting one such frame, p95", high, "ms", high, count),
    ]
    heap, resident = memory(browser, page)
    found.append(Row(f"browser: script memory then ({MANY} masks, {name})", heap, "MiB", heap, 1))
    found.append(Row(f"browser: page process then ({MANY} masks, {name})", resident, "MiB", resident, 1))
    page.context.close()
    return found


def large_image(page: Any) -> Editor:
    """A 12-megapixel picture in a dataset of its own, with 200 masks of different sizes."""
    headers = {"X-CSRFToken": {c["name"]: c["value"] for c in page.context.cookies()}["csrftoken"], "Referer": page.url}
    dataset = page.request.post("/api/datasets/", data={"name": "Large"}, headers=headers).json()
    y, x = np.mgrid[: LARGE[1], : LARGE[0]]
    pixels = np.stack([x % 256, y % 256, (x + y) // 28 % 256], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Picture.fromarray(pixels).save(buffer, "JPEG", quality=90)
    files = {"files": {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}}
    sent = page.request.post(f"/api/datasets/{dataset['id']}/images/", multipart=files, headers=headers)
    image = sent.json()["accepted"][0]
    for mask in blobs():
        body = {"image": image["id"], "source": "hand", "segmentation": dict(rle.encode(mask))}
        page.request.put(f"/api/masks/{uuid.uuid4()}/", data=body, headers=headers)
    editor = Editor.__new__(Editor)
    editor.page, editor.image = page, image
    return editor


def blobs() -> Iterator[np.ndarray]:
    """Bool masks HxW of the large picture: wavy discs of all sizes, some of them cut off by its edge."""
    random = np.random.default_rng(2)
    width, height = LARGE
    for _ in range(MANY):
        radius = random.uniform(20, 330)
        x, y = random.uniform(0, width), random.uniform(0, height)
        left, top = max(0, int(x - 1.2 * radius)), max(0, int(y - 1.2 * radius))
        right, bottom = min(width, int(x + 1.2 * radius) + 1), min(height, int(y + 1.2 * radius) + 1)
        rows, columns = np.mgrid[top:bottom, left:right]
        wave = 1 + 0.2 * np.sin(9 * np.arctan2(rows - y, columns - x))
        mask = np.zeros((height, width), bool)
        mask[top:bottom, left:right] = (rows - y) ** 2 + (columns - x) ** 2 < (radius * wave) ** 2
        yield mask


def frames(page: Any, work: Callable[[], None]) -> list[float]:
    """Milliseconds from frame to frame while `work` goes on."""
    page.evaluate(FRAMES)
    work()
    return list(page.evaluate("() => { cancelAnimationFrame(window.frameHandle); return window.frameTimes; }"))


def pan(editor: Editor) -> None:
    """Drag the picture with the middle button, at full size: to and fro."""
    editor.press("Control+0")
    mouse = editor.page.mouse
    mouse.move(700, 450)
    mouse.down(button="middle")
    for step in range(240):
        mouse.move(700 + 500 * np.sin(step / 20), 450 + 300 * np.cos(step / 15))
    mouse.up(button="middle")


def zoom(editor: Editor) -> None:
    """Wheel in from the whole picture to single pixels and out again."""
    editor.press("f")
    editor.page.mouse.move(700, 450)
    for step in range(160):
        editor.page.mouse.wheel(0, -60 if step < 80 else 60)


def frame_row(name: str, taken: list[float], share: float) -> Row:
    """One quantile of frame times."""
    value = round(float(np.quantile(taken, share)), 1)
    return Row(name, value, "ms", round(statistics.median(taken), 1), len(taken))


def memory(browser: Any, page: Any) -> tuple[float, float]:
    """(JavaScript heap, proportional resident size of the page's process, which counts bitmaps and threads), MiB."""
    heap = page.context.new_cdp_session(page).send("Runtime.getHeapUsage")["usedSize"] / 2**20
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = [resident(one["id"]) for one in processes if one["type"] == "renderer"]
    return round(heap, 1), round(max(sizes, default=0.0), 1)


def resident(process: int) -> float:
    """Proportional set size of a process, MiB; 0 where the system does not tell."""
    path = Path(f"/proc/{process}/smaps_rollup")
    if not path.exists() or not os.access(path, os.R_OK):
        return 0.0
    lines = [line for line in path.read_text().splitlines() if line.startswith("Pss:")]
    return float(lines[0].split()[1]) / 1024 if lines else 0.0
