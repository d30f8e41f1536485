"""The people and things that tests talk about: Ana leads, Rae reviews, Ben annotates, Vic looks, Cyd is a stranger."""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from PIL import Image as Picture
from rest_framework.test import APIClient

from annotation import storage
from annotation.models import Dataset, Image, Mask, Member, Task, Track, Video, split_for
from modelzoo import rle

PASSWORD = "correct horse battery"


@dataclass
class Cast:
    """Five users and a dataset of which the first four are members."""

    ana: Any
    rae: Any
    ben: Any
    vic: Any
    cyd: Any
    dataset: Dataset

    def everybody(self) -> dict[str, Any]:
        """Role -> user, with None for nobody signed in."""
        return {
            "lead": self.ana,
            "reviewer": self.rae,
            "annotator": self.ben,
            "viewer": self.vic,
            "stranger": self.cyd,
            "nobody": None,
        }


def make_cast(name: str = "Fruit") -> Cast:
    """Create them. The users are shared when a second dataset is cast."""
    users = get_user_model().objects
    people = {}
    for person in ("ana", "rae", "ben", "vic", "cyd"):
        user = users.filter(username=person).first() or users.create(username=person, first_name=person.capitalize())
        people[person] = user
    dataset = Dataset.objects.create(name=name, created_by=people["ana"])
    for person, role in (("ana", "lead"), ("rae", "reviewer"), ("ben", "annotator"), ("vic", "viewer")):
        Member.objects.create(dataset=dataset, user=people[person], role=role)
    return Cast(**people, dataset=dataset)


def client_of(user: Any) -> APIClient:
    """An API client signed in as `user`; None for nobody. A 500 is an answer here, not an exception."""
    client = APIClient(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def picture(width: int = 60, height: int = 40, seed: int = 0, kind: str = "JPEG", **options: Any) -> bytes:
    """Bytes of a small picture: a gradient with a bright ellipse, different for every seed."""
    rows, columns = np.mgrid[:height, :width]
    array = np.zeros((height, width, 3), np.uint8)
    array[..., 0] = columns * 255 // max(width - 1, 1)
    array[..., 1] = rows * 255 // max(height - 1, 1)
    array[..., 2] = seed * 37 % 256
    inside = ((columns - width * 0.5) / (width * 0.25)) ** 2 + ((rows - height * 0.5) / (height * 0.3)) ** 2 <= 1
    array[inside] = (250, 240, 30 + seed % 100)
    buffer = io.BytesIO()
    Picture.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def add_image(dataset: Dataset, *, seed: int = 0, width: int = 60, height: int = 40, split: str | None = None) -> Image:
    """An image with its files and its open task, stored without the caged decoder, which has tests of its own."""
    data = picture(width, height, seed, quality=95)
    sha256 = hashlib.sha256(data).hexdigest()
    folder = storage.image_folder(dataset.pk, sha256)
    for name in ("original.jpg", "display.jpg", "thumbnail.jpg"):
        storage.write_atomic(f"{folder}/{name}", data)
    image = Image.objects.create(
        dataset=dataset,
        file_name=f"picture-{seed}.jpg",
        sha256=sha256,
        width=width,
        height=height,
        media_type="image/jpeg",
        byte_size=len(data),
        split=split or split_for(sha256),
        original_path=f"{folder}/original.jpg",
        display_path=f"{folder}/display.jpg",
        thumbnail_path=f"{folder}/thumbnail.jpg",
        created_by=dataset.created_by,
    )
    Task.objects.create(image=image)
    return image


def add_video(dataset: Dataset, *, seed: int = 0, frames: int = 3, width: int = 60, height: int = 40) -> Video:
    """A video of which all frames have arrived, five a second, stored without a decoder; seeds from 1000 on."""
    video = Video.objects.create(
        dataset=dataset,
        file_name=f"clip-{seed}.mp4",
        sha256=hashlib.sha256(f"clip {seed}".encode()).hexdigest(),
        width=width,
        height=height,
        media_type="video/mp4",
        byte_size=1000,
        duration=frames / 5,
        frame_rate=25,
        sampling_rate=5,
        frame_count=frames,
        complete=True,
        created_by=dataset.created_by,
    )
    for number in range(frames):
        image = add_image(dataset, seed=1000 * (seed + 1) + number, width=width, height=height)
        Image.objects.filter(pk=image.pk).update(
            video=video, frame_number=number, frame_time=number / 5, split=split_for(video.sha256)
        )
    return video


def ellipse(image: Image, *, x: float = 0.5, y: float = 0.5, size: float = 0.3) -> np.ndarray:
    """A bool mask HxW of an image: an ellipse round (x, y), all as shares of width and height."""
    rows, columns = np.mgrid[: image.height, : image.width]
    inside: np.ndarray = ((columns / image.width - x) / size) ** 2 + ((rows / image.height - y) / size) ** 2 <= 1
    return inside


def add_mask(image: Image, array: np.ndarray | None = None, **fields: Any) -> Mask:
    """An accepted mask, straight into the table."""
    segmentation = rle.encode(ellipse(image) if array is None else array)
    values: dict[str, Any] = {
        "uuid": uuid.uuid4(),
        "segmentation": segmentation,
        "bbox": rle.bbox(segmentation),
        "area": rle.area(segmentation),
        "source": "hand",
        "created_by": image.created_by,
    }
    return Mask.objects.create(image=image, **{**values, **fields})


def add_tracks(dataset: Dataset) -> Video:
    """A video of five frames with two tracks. A plum: by hand on the first, the machine's on 1 and 3, on 4 accepted as
    it was proposed, gone on 2; a pear of the machine's on 2 and 3. And a mask of no track."""
    video = add_video(dataset, frames=5)
    frames = list(video.frames.order_by("frame_number"))
    plum, pear = (Track.objects.create(video=video) for _ in range(2))
    machine = {"source": "model", "created_by": None, "prompts": [{"type": "point", "x": 1, "y": 1, "label": 1}]}
    add_mask(frames[0], ellipse(frames[0], x=0.3, size=0.2), track=plum, category="plum")
    for number in (1, 3, 4):
        shape = ellipse(frames[number], x=0.3 + number / 20, size=0.2)
        mask = add_mask(frames[number], shape, track=plum, category="plum", **machine)
        if number == 4:
            Mask.objects.filter(pk=mask.pk).update(status="superseded")
            kept = {**machine, "created_by": dataset.created_by, "parent": mask}
            add_mask(frames[number], shape, track=plum, category="plum", **kept)
    for number in (2, 3):
        shape = ellipse(frames[number], x=0.7, size=0.1)
        add_mask(frames[number], shape, track=pear, category="pear", stability_score=0.9, **machine)
    add_mask(frames[1], ellipse(frames[1], x=0.9, size=0.05))
    return video


def mask_body(image: Image, array: np.ndarray | None = None, **fields: Any) -> dict[str, Any]:
    """The JSON of PUT /api/masks/{uuid}/ for a mask made by one click."""
    segmentation = rle.encode(ellipse(image) if array is None else array)
    return {
        "image": image.pk,
        "segmentation": dict(segmentation),
        "source": "model",
        "prompts": [{"type": "point", "x": 30.5, "y": 20.0, "label": 1}],
        "chosen": 0,
        "predicted_iou": 0.9,
        "seconds": 3.5,
        **fields,
    }
