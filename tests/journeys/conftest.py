"""One product for all journeys, and a dataset of scenes whose true masks are known."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelzoo import rle
from tests.journeys.product import Product
from tests.modelzoo.scenes import scene


@pytest.fixture(scope="session")
def product(tmp_path_factory) -> Iterator[Product]:
    started = Product(
        tmp_path_factory.mktemp("product"),
        ANYMASK_TRAIN_STEPS="6",
        ANYMASK_PROPOSAL_STEPS="6",
        ANYMASK_TRAIN_MINUTES="2",
        ANYMASK_TRAIN_THREADS="1",
    )
    started.start(seconds=900)  # a busy machine is slow, not broken
    started.sign_in()
    yield started
    started.stop()
    started.wait("the end of every process", lambda: not started.processes(), 20)


@pytest.fixture(scope="session")
def dataset(product) -> dict[str, Any]:
    """A dataset of 24 uploaded scenes, beside them a text file that only says it is a picture."""
    made = product.send("POST", "/api/datasets/", {"name": "Scenes", "auto_retrain": False})
    files = {f"scene {number}.jpg": jpeg(number)[0] for number in range(24)}
    answer = product.upload(f"/api/datasets/{made['id']}/images/", files | {"notes.jpg": b"I am no picture."})
    assert len(answer["accepted"]) == 24
    [refused] = answer["rejected"]
    assert refused["name"] == "notes.jpg"
    assert refused["message"].endswith(".")
    return {**made, "images": answer["accepted"]}


def jpeg(seed: int) -> tuple[bytes, list[np.ndarray]]:
    """A scene as a JPEG of one's own, and its true masks."""
    image, masks = scene(seed, height=240, width=320)
    stored = io.BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=95)
    return stored.getvalue(), masks


def label_everything(product: Product, dataset: dict[str, Any]) -> None:
    """Save the true masks of every scene; a second time changes nothing, since they keep their ids."""
    for image in dataset["images"]:
        _, masks = jpeg(int(image["file_name"].split()[1].split(".")[0]))
        for number, mask in enumerate(masks):
            body = {"image": image["id"], "segmentation": rle.encode(mask), "source": "hand", "seconds": 3}
            name = uuid.uuid5(uuid.NAMESPACE_OID, f"{image['id']}:{number}")
            product.send("PUT", f"/api/masks/{name}/", body)
