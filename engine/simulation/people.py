"""Simulated people: they sign in, take up images, click, save and submit over the same routes as a browser.

Where a person would click is decided by the one click simulator; what they see is decoded as in their browser.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.test import Client

from engine.simulation.browser import Attempt, Browser, OpenImage
from engine.simulation.truth import Picture
from modelzoo import rle
from modelzoo.training import clicks
from modelzoo.training.metrics import mask_iou

GOOD_ENOUGH = 0.85  # IoU with the real object from which a person accepts
MOST_CLICKS = 20  # after which they take what there is
SAME_OBJECT = 0.5  # IoU from which a proposal is meant for an object

UNUSED = np.random.default_rng(0)  # the rule "centre" draws nothing

Spoil = Callable[[np.ndarray], np.ndarray]


class Refused(Exception):
    """The product answered a simulated person with an error."""


@dataclass
class ObjectWork:
    """How one object was masked: ``clicks`` given, IoU with the real object after them, and from what.

    ``otherwise``: what the same hand and model would have taken from nothing, of an object that was proposed.
    """

    clicks: int
    iou: float
    start: str  # "prompt", or what became of a proposal: "untouched", "corrected"
    painted: bool = False  # finished with the brush, since the clicks did not get there
    otherwise: ObjectWork | None = None


@dataclass
class ImageWork:
    """What a person did on one image. ``discarded``: proposals that showed no object of the picture."""

    image: int
    objects: list[ObjectWork] = field(default_factory=list)
    proposed: int = 0
    discarded: int = 0


class Person:
    """One simulated user. ``brush``: they paint what their clicks did not bring, as in the paper (section 4)."""

    def __init__(self, name: str, brush: bool = False) -> None:
        # Nobody can sign in as them: without a password there is no way in but this one.
        self.user, created = get_user_model().objects.get_or_create(username=name)
        if created:
            self.user.set_unusable_password()
            self.user.save(update_fields=["password"])
        self.client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        self.client.force_login(self.user, backend="django.contrib.auth.backends.ModelBackend")
        self.browser = Browser(lambda path: self.ask("GET", path), self.fetch)
        self.brush = brush
        self.spoil: Spoil | None = None  # what a careless person saves instead of a mask

    def ask(self, method: str, path: str, body: Any = None, files: list[Any] | None = None) -> Any:
        """Send one request; its JSON, None for an empty answer. Refused for anything but 2xx."""
        if files is not None:
            answer = self.client.post(path, {"files": files})
        else:
            answer = self.client.generic(
                method, path, b"" if body is None else json.dumps(body).encode(), content_type="application/json"
            )
        if not 200 <= answer.status_code < 300:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.content.decode(errors='replace')[:500]}")
        return answer.json() if answer.content else None

    def fetch(self, path: str) -> bytes:
        """The bytes of a file. Refused when the product does not give it."""
        answer = self.client.get(path)
        if answer.status_code != 200:
            raise Refused(f"GET {path}: {answer.status_code}")
        return answer.getvalue()

    def next_task(self, dataset: int, kind: str = "annotate") -> Any:
        """The task this person holds from now on; None when nothing is left to do."""
        return self.ask("POST", f"/api/datasets/{dataset}/tasks/next/", {"kind": kind})

    def label(self, task: dict[str, Any], picture: Picture) -> ImageWork:
        """Mask every object of a picture, proposals first, and submit."""
        work = ImageWork(task["image"]["id"])
        opened = self.browser.open(work.image)
        left = {index: rle.decode(segmentation) for index, segmentation in enumerate(picture.objects)}
        self._go_through_proposals(task, work, opened, left)
        for target in left.values():
            work.objects.append(self._mask(task, opened, target))
        self._submit(task, "done" if work.objects else "nothing_left")
        return work

    def audit(self, task: dict[str, Any], picture: Picture) -> None:
        """Correct every mask with patience: what shows an object becomes that object, what shows none is deleted."""
        left = {index: rle.decode(segmentation) for index, segmentation in enumerate(picture.objects)}
        for mask in self.ask("GET", f"/api/images/{task['image']['id']}/masks/"):
            index, iou = closest(rle.decode(mask["segmentation"]), left)
            if iou < SAME_OBJECT:
                self.ask("DELETE", f"/api/masks/{mask['id']}/")
            elif iou < 1:
                self._save(task, Attempt(left.pop(index)), parent=mask, source="model_edited")
        self._submit(task, "done")

    def _submit(self, task: dict[str, Any], answer: str) -> None:
        body = {"lease": task["lease"], "seconds": 0, "answer": answer}
        self.ask("POST", f"/api/tasks/{task['id']}/submit/", body)

    def _go_through_proposals(
        self, task: dict[str, Any], work: ImageWork, opened: OpenImage, left: dict[int, np.ndarray]
    ) -> None:
        """Keep what is good, correct what is nearly, discard the rest. Takes what is masked then out of ``left``."""
        masks = self.ask("GET", f"/api/images/{work.image}/masks/")
        proposals = [mask for mask in masks if mask["status"] == "proposed"]
        work.proposed = len(proposals)
        for proposal in proposals:
            shown = rle.decode(proposal["segmentation"])
            index, iou = closest(shown, left)
            if iou < SAME_OBJECT:
                self.ask("DELETE", f"/api/masks/{proposal['id']}/")
                work.discarded += 1
                continue
            target = left.pop(index)
            if iou >= GOOD_ENOUGH:
                self._keep(task, proposal)
                done = ObjectWork(0, iou, "untouched")
            else:
                done = self._mask(task, opened, target, proposal)
            _, done.otherwise = self._make(opened, target)
            work.objects.append(done)

    def _mask(
        self, task: dict[str, Any], opened: OpenImage, target: np.ndarray, proposal: dict[str, Any] | None = None
    ) -> ObjectWork:
        """Make a mask and save it. ``proposal``: what to begin from."""
        attempt, work = self._make(opened, target, rle.decode(proposal["segmentation"]) if proposal else None)
        self._save(task, attempt, parent=proposal, source="model_edited" if work.painted else "model")
        return work

    def _make(
        self, opened: OpenImage, target: np.ndarray, start: np.ndarray | None = None
    ) -> tuple[Attempt, ObjectWork]:
        """Click, and paint what is still missing. ``start``: a mask to begin from."""
        attempt = self._click(opened, target, start)
        iou = mask_iou(attempt.mask, target)
        painted = self.brush and iou < GOOD_ENOUGH
        if painted:
            attempt.mask = target
        return attempt, ObjectWork(len(attempt.points), iou, "prompt" if start is None else "corrected", painted)

    def _click(self, image: OpenImage, target: np.ndarray, start: np.ndarray | None = None) -> Attempt:
        """Click until the mask is good enough or patience ends. ``start``: a mask to begin from."""
        attempt = Attempt(np.zeros_like(target)) if start is None else image.begin(start)
        while len(attempt.points) < MOST_CLICKS and mask_iou(attempt.mask, target) < GOOD_ENOUGH:
            if attempt.feedback is None:
                x, y, label = clicks.first_click(target, "centre", UNUSED)
            elif (click := clicks.corrective_click(target, attempt.mask, "centre", UNUSED)) is not None:
                x, y, label = click
            image.click(attempt, x + 0.5, y + 0.5, label)
        return attempt

    def _save(
        self, task: dict[str, Any], attempt: Attempt, parent: dict[str, Any] | None = None, source: str = "model"
    ) -> None:
        """PUT the mask under an id of our own, as the editor does. ``parent``: the proposal that it corrects."""
        mask = attempt.mask if self.spoil is None else self.spoil(attempt.mask)
        if not mask.any():
            return  # the editor accepts no empty mask either
        said = attempt.candidates[attempt.chosen] if attempt.chosen is not None else {}
        self._put(
            {
                "image": task["image"]["id"],
                "task": task["id"],
                "segmentation": rle.encode(mask),
                "source": source,
                "edits": int(source == "model_edited"),
                "stage": parent["stage"] if parent else None,
                "parent": parent["id"] if parent else None,
                "prompts": [
                    {"type": "point", "x": x, "y": y, "label": label}
                    for (x, y), label in zip(attempt.points, attempt.labels, strict=True)
                ],
                "candidates": attempt.candidates,
                "chosen": attempt.chosen,
                "predicted_iou": said.get("predicted_iou"),
                "stability_score": said.get("stability_score"),
                "point_coords": [list(point) for point in attempt.points] or None,
                "model": attempt.model,
            }
        )

    def _keep(self, task: dict[str, Any], proposal: dict[str, Any]) -> None:
        """Take a proposal over as it is: a version of one's own with the same pixels."""
        same = {name: proposal[name] for name in _KEPT}
        self._put({**same, "image": proposal["image"], "task": task["id"], "parent": proposal["id"]})

    def _put(self, body: dict[str, Any]) -> None:
        body = {name: value for name, value in body.items() if value is not None}
        self.ask("PUT", f"/api/masks/{uuid.uuid4()}/", body)


_KEPT = ("segmentation", "stage", "source", "prompts", "predicted_iou", "stability_score", "point_coords", "model")


def closest(mask: np.ndarray, objects: dict[int, np.ndarray]) -> tuple[int, float]:
    """(key, IoU) of the object that a mask shows best; (-1, 0) where there are none. All bool H x W."""
    found = ((index, mask_iou(mask, one)) for index, one in objects.items())
    return max(found, key=lambda pair: pair[1], default=(-1, 0.0))


def surroundings(mask: np.ndarray) -> np.ndarray:
    """What a careless person saves: everything round the object, within twice its box, instead of the object."""
    x0, y0, x1, y1 = (int(side) for side in clicks.tight_box(mask))
    width, height = x1 - x0, y1 - y0
    around = np.zeros_like(mask)
    around[max(0, y0 - height // 2) : y1 + height // 2 + 1, max(0, x0 - width // 2) : x1 + width // 2 + 1] = True
    around[mask] = False
    return around
