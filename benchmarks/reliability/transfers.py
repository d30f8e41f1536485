"""Requirements 20 to 26: what comes in and goes out."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from dataclasses import replace
from typing import Any

from benchmarks.reliability.annotators import HEIGHT, WIDTH, Caller, disc
from benchmarks.reliability.servers import wait_for
from benchmarks.reliability.trial import Finding, Trial

PICTURES, EACH = 12, 5  # of one archive: pictures, and masks on each
PATIENCE = 1800


def imports_are_whole(trial: Trial) -> Finding:
    """R20: imports whose worker is killed; each again afterwards. Counts are those of the archive."""
    kills, dice = trial.size(2, 20), trial.dice
    wrong, notes = 0, 0
    with trial.installation() as one:
        made = one.inside("make", images=0, people=0)
        one.start("web", "interactive", "io", "beat")
        one.wait_ready()
        caller, archive = Caller(one.url, made["lead"]), _archive(trial)
        for number in range(kills):
            dataset = caller.ask("POST", "/api/datasets/", {"name": f"Import {number}"}).json()["id"]
            job = _import(caller, dataset, archive)
            wait_for("the import", lambda job=job: _state(caller, job) != "queued", 300)
            time.sleep(dice.uniform(0, 2.0))
            one.kill("io")
            wait_for("its end", lambda job=job: _state(caller, job) in ("succeeded", "failed"), PATIENCE)
            wrong += one.inside("count", dataset=dataset) != {
                "images": PICTURES,
                "masks": PICTURES * EACH,
                "doubles": 0,
            }
            notes += caller.ask("GET", f"/api/jobs/{job}/").json()["attempts"] > 1
            if number % 5 == 0:
                again = _import(caller, dataset, archive)
                wait_for("the second", lambda job=again: _state(caller, job) == "succeeded", PATIENCE)
                told = caller.ask("GET", f"/api/jobs/{again}/").json()["result"]
                wrong += (told["images_new"], told["masks_new"]) != (0, 0)
                wrong += one.inside("count", dataset=dataset)["doubles"]
    note = f"{kills} kills, {notes} hit the import while it ran, {PICTURES} pictures with {EACH} masks each"
    return Finding(wrong, kills, "imports not as their archive", note)


def _archive(trial: Trial) -> bytes:
    import numpy as np
    from PIL import Image

    dice, buffer = trial.dice, io.BytesIO()
    images, annotations = [], []
    with zipfile.ZipFile(buffer, "w") as packed:
        for number in range(PICTURES):
            picture = io.BytesIO()
            noise = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(noise).save(picture, "PNG")
            packed.writestr(f"images/{number}.png", picture.getvalue())
            images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
            for place in range(EACH):
                about = {"id": number * EACH + place, "image_id": number, "category_id": 1, "iscrowd": 0}
                annotations.append({**about, "segmentation": disc(dice)})
        document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}
        packed.writestr("annotations.json", json.dumps(document))
    return buffer.getvalue()


def _import(caller: Caller, dataset: int, archive: bytes) -> str:
    answer = caller.session.post(
        f"{caller.url}/api/datasets/{dataset}/imports/",
        files={"file": ("trial.zip", archive)},
        data={"format": "coco"},
        timeout=120,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def _state(caller: Caller, job: str) -> str:
    return str(caller.ask("GET", f"/api/jobs/{job}/").json()["state"])


def exports_are_whole(trial: Trial) -> Finding:
    """R21: exports whose worker is killed; whatever is offered at any time is complete."""
    kills, dice = trial.size(2, 20), trial.dice
    half = again = offered = 0
    with trial.installation() as one:
        made = one.inside("make", images=1500, people=1)
        one.start("web", "interactive", "exports", "beat")
        one.wait_ready()
        caller = Caller(one.url, made["lead"])
        for image in made["images"][:50]:
            caller.ask(
                "PUT", f"/api/masks/{_key(dice)}/", {"image": image, "segmentation": disc(dice), "source": "hand"}
            )
        for number in range(kills):
            body = {"format": ("coco", "sa1b")[number % 2]}
            job = caller.ask("POST", f"/api/datasets/{made['dataset']}/exports/", body).json()["id"]
            wait_for("the export", lambda job=job: _state(caller, job) != "queued", 300)
            time.sleep(dice.uniform(0, 2.5))
            one.kill("exports")
            half += not _absent_or_whole(caller, job)
            wait_for("its end", lambda job=job: _state(caller, job) in ("succeeded", "failed"), PATIENCE)
            half += not _absent_or_whole(caller, job)
            told = caller.ask("GET", f"/api/jobs/{job}/").json()
            again += told["attempts"] > 1
            offered += told["state"] == "succeeded"
        work = one.folder / "data" / "work"
        left = len(list(work.iterdir())) if work.is_dir() else 0
    note = f"{kills} kills, {again} hit the export while it ran, {offered} came out whole, "
    note += f"{left} folders of killed work left to the clean-up"
    return Finding(half, 2 * kills, "half files offered", note, holds=not half and offered == kills)


def _absent_or_whole(caller: Caller, job: str) -> bool:
    told = caller.ask("GET", f"/api/jobs/{job}/").json()
    answer = caller.ask("GET", f"/api/exports/{job}/download/")
    if answer.status_code == 404:
        return bool(told["state"] != "succeeded")
    if told["state"] != "succeeded" or hashlib.sha256(answer.content).hexdigest() != told["result"]["sha256"]:
        return False
    return zipfile.is_zipfile(io.BytesIO(answer.content)) or answer.content[257:262] == b"ustar"


def _key(dice: Any) -> str:
    import uuid

    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def no_unchecked_mask(trial: Trial) -> Finding:
    """R22: mutated runs and polygons in one process; legal masks beside pycocotools."""
    if trial.stack != "embedded":
        return Finding(0, 0, "", "no stack is involved")
    with trial.installation() as one:
        told = one.inside("fuzz_masks", count=trial.size(3000, 120_000), seed=trial.seed)
        same = one.inside("fuzz_legal", count=trial.size(500, 10_000), seed=trial.seed)
    wrong = told["wrong"] + told["slow"] + same["differing"]
    note = f"no crash, {told['accepted']} accepted and true, slowest {told['slowest'] * 1000:.0f} ms, "
    note += f"{same['differing']}/{same['tried']} legal masks differ from pycocotools"
    return Finding(wrong, told["tried"], "wrong or slow", note)


def decoding_is_caged(trial: Trial) -> Finding:
    """R23: by the tests of uploads and of kinds of pictures."""
    return trial.by_tests("tests/annotation/test_upload.py", "tests/annotation/test_kinds_of_pictures.py")


def one_geometry(trial: Trial) -> Finding:
    """R24: by the tests of orientation, depth and kinds of pictures, there and back."""
    names = ("test_upload.py", "test_round_trip.py", "test_export_formats.py")
    return trial.by_tests(*(f"tests/annotation/{name}" for name in names))


def archives_are_bounded(trial: Trial) -> Finding:
    """R25: by the tests, and mutated archives and documents."""
    with trial.installation() as one:
        told = one.inside("fuzz_archives", count=trial.size(200, 5000), seed=trial.seed)
        read = one.inside("fuzz_documents", count=trial.size(200, 5000), seed=trial.seed)
    tests = trial.by_tests("tests/annotation/test_archives.py", "tests/annotation/test_tars.py")
    found = sum(told[key] + read.get(key, 0) for key in ("crashes", "slow")) + told["outside"] + tests.found
    note = f"{told['tried']} mutated archives ({told['refused']} refused whole, slowest {told['slowest']:.2f} s, "
    note += f"{told['mib']:.0f} MiB), {read['tried']} mutated documents by every reader, "
    note += f"slowest {read['slowest']:.2f} s"
    kinds = (told["kinds"] + read["kinds"])[:4]
    note += f", {tests}" + (f"; {kinds}" if kinds else "")
    return Finding(found, told["tried"] + read["tried"] + tests.tried, "crashes, hangs or files outside", note)


def round_trip(trial: Trial) -> Finding:
    """R26: export, import, export; on made pictures, and on public sets where a folder of such is named."""
    names = ("test_round_trip", "test_import_formats", "test_import_maps")
    tests = trial.by_tests(*(f"tests/annotation/{name}.py" for name in names))
    if trial.sets is None:
        return replace(tests, note="made pictures with every difficult mask, no public sets named")
    with trial.installation() as one:
        told = one.inside("round_trips", folder=str(trial.sets.resolve()))
    note = f"masks and categories differ; {told['sets']} public sets with {told['images']} pictures; {tests}"
    return Finding(told["differing"] + tests.found, told["masks"], note)


SCENARIOS = {
    "R20": imports_are_whole,
    "R21": exports_are_whole,
    "R22": no_unchecked_mask,
    "R23": decoding_is_caged,
    "R24": one_geometry,
    "R25": archives_are_bounded,
    "R26": round_trip,
}
