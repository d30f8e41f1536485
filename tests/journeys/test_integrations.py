"""The worked examples of docs/integrations.md, run as they stand against real processes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from annotation.client import Client
from modelzoo import rle
from tests.journeys.conftest import jpeg
from tests.journeys.product import ROOT

pytestmark = pytest.mark.journey
METRES = 0.5  # of a pixel of the satellite's pictures


@pytest.fixture(scope="module")
def token(product) -> str:
    command = [sys.executable, "manage.py", "token", "demo"]
    done = subprocess.run(command, cwd=ROOT, env=product.environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def client(product, token) -> Client:
    return Client(f"http://127.0.0.1:{product.port}", token)


def example(product, token: str, name: str, *arguments: object) -> str:
    """What an example prints."""
    command = [sys.executable, f"docs/examples/{name}.py", f"http://127.0.0.1:{product.port}", *map(str, arguments)]
    environment = os.environ | {"ANYMASK_TOKEN": token, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def scenes(client, product, tmp_path_factory) -> int:
    """A dataset of two pictures with things of which one is masked and named."""
    made = client.create_dataset("For other systems")
    for number in (70, 71):
        file = tmp_path_factory.mktemp("scenes") / f"plate {number}.jpg"
        file.write_bytes(jpeg(number)[0])
        assert client.upload(made.id, file).added == 1
    for image in [one.id for one in client.images(made.id)]:  # workers of a product just started import torch first
        address = f"/api/images/{image}/embedding/"
        product.wait(address, lambda asked=address: product.get(asked)["state"] == "ready")
    first = next(one for one in client.images(made.id) if one.file_name == "plate 70.jpg")
    client.save_mask(first.id, dict(rle.encode(jpeg(70)[1][0])), category="cell")
    return made.id


def box_of(mask: np.ndarray) -> str:
    x, y, width, height = rle.bbox(rle.encode(mask))
    return f"{x},{y},{x + width},{y + height}"


def test_a_robot_learns_where_to_take_hold(product, token, client, scenes):
    image = next(one for one in client.images(scenes) if one.file_name == "plate 70.jpg")
    masks = jpeg(70)[1][:2]
    told = example(product, token, "robot_pick", image.id, *(box_of(mask) for mask in masks))
    picks = [json.loads(line) for line in told.splitlines()]
    assert {one["name"] for one in picks} <= {"part 0", "part 1"}
    assert picks
    for pick in picks:
        x0, y0, x1, y1 = (float(side) for side in box_of(masks[int(pick["name"][-1])]).split(","))
        x, y = pick["centroid"]
        assert x0 - 20 < x < x1 + 20
        assert y0 - 20 < y < y1 + 20
        assert -90 <= pick["angle"] <= 90
        assert pick["width"] > 0


def geotiff(path: Path, side: int) -> Path:
    """A bright field of `side` pixels in dark land; the pixels measure METRES."""
    pixels = np.full((200, 240, 3), (40, 70, 30), np.uint8)
    pixels[60 : 60 + side, 80 : 80 + side] = (220, 200, 120)
    directory = (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001)
    tags = [(33550, 12, 3, (METRES, METRES, 0.0), True), (34735, 3, len(directory), directory, True)]
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=tags)
    return path


def test_what_grew_between_two_dates_is_told_in_square_metres(product, token, client, tmp_path):
    made = client.create_dataset("Two dates")
    before, after = geotiff(tmp_path / "may.tif", 40), geotiff(tmp_path / "june.tif", 80)
    told = example(product, token, "satellite_change", made.id, before, after, "95,75")
    [row] = csv.DictReader(io.StringIO(told))
    assert row["place"] == "95,75"
    old, new = float(row["before m2"]), float(row["after m2"])
    assert float(row["change m2"]) == pytest.approx(new - old, abs=0.11)
    pixels = client.segment(next(client.images(made.id)).id, [{"points": [[95, 75]]}])[0]
    assert pixels.area_m2 == pytest.approx(pixels.area * METRES**2)
    assert new > 0


def test_cells_are_counted_plate_by_plate(product, token, client, scenes):
    everything = example(product, token, "cells_per_plate", scenes, "cell", 0)
    rows = list(csv.DictReader(io.StringIO(everything)))
    assert [row["plate"] for row in rows] == ["plate 70.jpg", "plate 71.jpg"]
    assert int(rows[0]["cells"]) >= 1
    nothing = list(csv.DictReader(io.StringIO(example(product, token, "cells_per_plate", scenes, "cell", 1))))
    assert [row["cells"] for row in nothing] == ["0", "0"]


def test_embeddings_come_as_arrays(client, scenes):
    image = next(client.images(scenes))
    maps = {name: np.load(io.BytesIO(file)) for name, file in client.embedding(image.id).items()}
    assert maps
    assert all(one.dtype == np.float16 and one.ndim == 3 for one in maps.values())
