"""The audit log: every change that a person made through the API, written down after it succeeded.

A route that changes something is recorded under its name; `SILENT` says which do not and why, `KEPT` which words
of a request are kept. Nothing else of a request is stored, above all no secret and no pixels.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from annotation.models import (
    ApiToken,
    Dataset,
    Event,
    Group,
    Image,
    Invitation,
    Job,
    Mask,
    Member,
    Task,
    Track,
    Video,
    Webhook,
)

logger = logging.getLogger(__name__)

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
# Route -> why it leaves no line: no change of anything that lasts. Those of `uploads` leave one when a file is whole.
SILENT = {
    "image-predict": "asks the model",
    "image-segment": "asks the model",
    "image-alike": "asks the model",
    "image-embedding": "has an image prepared that was prepared before",
    "image-values": "has tiles made of what is there",
    "task-next": "holds an image for a while",
    "image-task": "holds an image for a while",
    "task-renew": "holds it longer",
    "task-release": "gives it back as it was",
    "uploads": "room for a file that is not there yet",
    "upload": "bytes of a file, told when it is whole (annotation.api.uploads); half of one goes by itself",
    "export-choices": "counts what an export would hold",
    "statistics": "counts",
    "measurement-figures": "counts",
    "session-oidc": "shows the way to the provider; who comes back is told by annotation.api.oidc",
}
# Lines that no route leaves by itself: written where the thing happens.
BY_HAND = {"upload:patch", "session-oidc:post", "admin:patch"}
KEPT = (
    *("role", "username", "graduated", "active", "note", "uses", "days", "verdict", "reason", "answer", "format", "to"),
    *("name", "size", "seed", "source", "category", "gold", "stage", "state", "title", "licence", "credit", "consent"),
    *("people", "group", "kind", "share", "currency", "hourly_rate", "description", "blur_faces", "events", "folder"),
    *("review_share", "review_adapts", "training_images", "training_iou", "overlap_share", "queue_order", "queue_seed"),
    *("pixel_size", "length_unit", "auto_retrain", "retrain_after", "schedule", "minutes", "steps", "synthetic_share"),
    *("automatic_weight", "masks", "iou", "kept", "clicks", "by_rule", "version", "filters", "options", "first"),
    *("second", "all", "channels", "low", "high", "inverted", "new_secret"),
)
COUNTED = ("images", "addresses")  # told as how many
# (word of the route's arguments, subject): the first that a route has says what the change was about.
SUBJECTS = (
    ("track_id", "track"),
    ("video_id", "video"),
    ("mask_id", "mask"),
    ("item_id", "review"),
    ("task_id", "task"),
    ("member_id", "member"),
    ("invitation_id", "invitation"),
    ("group_id", "group"),
    ("token_id", "token"),
    ("webhook_id", "webhook"),
    ("digest", "model"),
    ("audit_id", "audit"),
    ("run_id", "model"),
    ("job_id", "job"),
    ("image_id", "image"),
)
BY_NAME = {
    "session": "account",
    "invitation": "invitation",
    "members": "member",
    "dataset-groups": "group",
    "groups": "group",
    "invitations": "invitation",
    "webhooks": "webhook",
    "exports": "export",
    "versions": "export",
    "imports": "import",
    "images": "image",
    "training-runs": "model",
    "comparisons": "model",
    "audits": "audit",
    "tokens": "token",
}
# Route that deletes -> the rows, their key, the word of the route's arguments, the fields by which people know one.
NAMES: dict[str, tuple[Any, str, str, tuple[str, ...]]] = {
    "dataset": (Dataset, "pk", "dataset_id", ("name",)),
    "image": (Image, "pk", "image_id", ("file_name",)),
    "video": (Video, "pk", "video_id", ("file_name",)),
    "track": (Track, "uuid", "track_id", ("category",)),
    "token": (ApiToken, "pk", "token_id", ("name",)),
    "invitation-revoke": (Invitation, "pk", "invitation_id", ("role", "note")),
    "webhook": (Webhook, "pk", "webhook_id", ("url",)),
}
WORDS = 120  # characters kept of one word


class EventLog:
    """Middleware. A log that cannot be written is an error of ours and does not undo what was done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """One more row for a change that succeeded."""
        response = self.get_response(request)
        before: _Before | None = getattr(request, "event", None)
        if before is not None and response.status_code < 400:
            try:
                _write(request, response, before)
            except Exception:
                logger.exception("event not written", extra={"route": before.name})
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        """Look up what the view may be about to delete."""
        match = request.resolver_match
        name = str(match.url_name) if match is not None else ""
        if request.method in CHANGING and request.path.startswith("/api/") and name not in SILENT:
            request.event = _Before(name, kwargs, request.method)  # type: ignore[attr-defined]  # our own name on it


class _Before:
    """The route, the dataset it is about, and what must be known of a thing before it is changed or gone."""

    def __init__(self, name: str, kwargs: dict[str, Any], method: str) -> None:
        self.name, self.kwargs = name, kwargs
        self.dataset = _dataset_of(kwargs)
        self.details: dict[str, Any] = _gone(name, kwargs) if method == "DELETE" else {}
        self.datasets: list[int | None] = []
        if "group_id" in kwargs:
            group = Group.objects.filter(pk=kwargs["group_id"]).first()
            self.details |= {"group": group.name} if group else {}
            if group is not None and self.dataset is None:
                self.datasets = list(group.roles.values_list("dataset", flat=True))
        if "member_id" in kwargs:
            member = Member.objects.filter(pk=kwargs["member_id"], dataset=self.dataset).select_related("user").first()
            if member is not None:
                self.details |= {"member": member.user.get_username(), "was": member.role}


def _gone(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """How a thing was called that will not be there to be asked."""
    if name not in NAMES:
        return {}
    model, key, word, fields = NAMES[name]
    row = model.objects.filter(**{key: kwargs[word]}).values(*fields).first() or {}
    told = {field: value for field, value in row.items() if value}
    if "url" in told:
        return {"host": _host(told["url"])}
    return {field: value[:WORDS] for field, value in told.items()}


def _host(url: str) -> str:
    """Of an address that may hold a secret."""
    return (urlsplit(url).hostname or "")[:WORDS]


def _dataset_of(kwargs: dict[str, Any]) -> int | None:
    if "dataset_id" in kwargs:
        return int(kwargs["dataset_id"])
    if "track_id" in kwargs:
        rows: Any = Track.objects.filter(uuid=kwargs["track_id"]).values_list("video__dataset", flat=True)
    elif "video_id" in kwargs:
        rows = Video.objects.filter(pk=kwargs["video_id"]).values_list("dataset", flat=True)
    elif "mask_id" in kwargs:
        rows = Mask.objects.filter(uuid=kwargs["mask_id"]).values_list("image__dataset", flat=True)
    elif "image_id" in kwargs:
        rows = Image.objects.filter(pk=kwargs["image_id"]).values_list("dataset", flat=True)
    elif "task_id" in kwargs:
        rows = Task.objects.filter(pk=kwargs["task_id"]).values_list("image__dataset", flat=True)
    elif "job_id" in kwargs:
        rows = Job.objects.filter(pk=kwargs["job_id"]).values_list("dataset", flat=True)
    else:
        return None
    found: int | None = rows.first()
    return found


def _write(request: HttpRequest, response: HttpResponseBase, before: _Before) -> None:
    told = getattr(response, "data", None)
    told = told if isinstance(told, dict) else {}
    name, kwargs = before.name, before.kwargs
    word, subject = next(((w, s) for w, s in SUBJECTS if w in kwargs), ("", BY_NAME.get(name, "dataset")))
    about = kwargs.get(word) or told.get("id") or (kwargs.get("dataset_id") if subject == "dataset" else "")
    gone = name == "dataset" and request.method == "DELETE"
    dataset = None if gone else before.dataset or _after(name, kwargs, told)
    row = {
        "actor_id": request.user.pk if request.user.is_authenticated else None,
        "action": f"{name}:{str(request.method).lower()}",
        "subject": subject,
        "subject_id": str(about or "")[:64],
        "details": {**before.details, **_words(response)},
    }
    # Who is in a group is told in every dataset where it has a role.
    Event.objects.bulk_create(Event(dataset_id=one, **row) for one in before.datasets or [dataset])


def _after(name: str, kwargs: dict[str, Any], told: dict[str, Any]) -> int | None:
    """The dataset of something that was not there before."""
    if name == "datasets":
        return told.get("id")
    if name == "invitation":
        return told.get("dataset")
    return _dataset_of(kwargs)


def _words(response: HttpResponseBase) -> dict[str, Any]:
    """What is kept of a JSON request or of a form with files."""
    request = (getattr(response, "renderer_context", None) or {}).get("request")
    if request is None or not str(request.content_type).startswith(("application/json", "multipart/form-data")):
        return {}
    data = request.data if isinstance(request.data, dict) else {}
    kept = {word: told for word in KEPT if (told := _told(data.get(word))) is not None}
    kept |= {word: len(data[word]) for word in COUNTED if isinstance(data.get(word), list)}
    if isinstance(data.get("url"), str):
        kept["host"] = _host(data["url"])
    if files := [file.name or "" for name in request.FILES for file in request.FILES.getlist(name)]:
        kept |= {"files": len(files), "file_name": files[0][:WORDS]}
    return kept


def _told(value: Any) -> Any:
    """A word, a number, or the beginning of something longer; None for nothing."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    elif isinstance(value, list | dict):
        value = json.dumps(value)
    return value[:WORDS] if isinstance(value, str) and value else None
