"""The audit log: every change that a person made through the API, written down after it succeeded.

A route that changes something is recorded under its name; `SILENT` lists those that change nothing worth telling, and
`KEPT` which words of a request are kept. Nothing else of a request is stored, above all no secret and no pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from annotation.models import Event, Group, Image, Job, Mask, Member, Task

logger = logging.getLogger(__name__)

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
# Asking, holding on, looking again: no change of anything that lasts.
SILENT = {
    "image-predict",
    "image-embedding",
    "task-next",
    "image-task",
    "task-renew",
    "task-release",
    "uploads",
    "upload",
    "export-choices",
    "statistics",
    "measurement-figures",
    "image-values",
    "session-oidc",  # only the way to the provider; who comes back is told by annotation.api.oidc
}
KEPT = (
    *("role", "username", "graduated", "active", "note", "uses", "days", "verdict", "reason", "answer", "format", "to"),
    *("name", "size", "source", "category", "gold", "stage", "state", "title", "licence", "share", "kind"),
    *("review_share", "review_adapts", "training_images", "training_iou", "overlap_share", "auto_retrain"),
    *("people", "group"),
    *("retrain_after", "hourly_rate", "currency", "masks", "iou", "kept", "by_rule", "consent"),
)
# (word of the route's arguments, subject): the first that a route has says what the change was about.
SUBJECTS = (
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
            request.event = _Before(name, kwargs)  # type: ignore[attr-defined]


class _Before:
    """The route, the dataset it is about, and what is known of a member before they are changed."""

    def __init__(self, name: str, kwargs: dict[str, Any]) -> None:
        self.name, self.kwargs = name, kwargs
        self.dataset = _dataset_of(kwargs)
        self.details: dict[str, Any] = {}
        self.datasets: list[int | None] = []
        if "group_id" in kwargs:
            group = Group.objects.filter(pk=kwargs["group_id"]).first()
            self.details = {"group": group.name} if group else {}
            if group is not None and self.dataset is None:
                self.datasets = list(group.roles.values_list("dataset", flat=True))
        if "member_id" in kwargs:
            member = Member.objects.filter(pk=kwargs["member_id"], dataset=self.dataset).select_related("user").first()
            if member is not None:
                self.details = {"member": member.user.get_username(), "was": member.role}


def _dataset_of(kwargs: dict[str, Any]) -> int | None:
    if "dataset_id" in kwargs:
        return int(kwargs["dataset_id"])
    if "mask_id" in kwargs:
        rows: Any = Mask.objects.filter(uuid=kwargs["mask_id"]).values_list("image__dataset", flat=True)
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
    gone = name == "dataset" and request.method == "DELETE"
    dataset = None if gone else before.dataset or _after(name, kwargs, told)
    row = {
        "actor_id": request.user.pk if request.user.is_authenticated else None,
        "action": f"{name}:{str(request.method).lower()}",
        "subject": subject,
        "subject_id": str(kwargs.get(word) or told.get("id") or kwargs.get("dataset_id") or "")[:64],
        "details": {**before.details, **_words(response)},
    }
    # Who is in a group is told in every dataset where it has a role.
    Event.objects.bulk_create(Event(dataset_id=one, **row) for one in before.datasets or [dataset])


def event_write(
    *,
    actor: Any,
    action: str,
    subject: str,
    subject_id: str = "",
    dataset: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """A line for what no changing request did. Never raises: a log that cannot be written undoes nothing."""
    try:
        Event.objects.create(
            actor=actor,
            action=action,
            subject=subject,
            subject_id=subject_id,
            dataset_id=dataset,
            details=details or {},
        )
    except Exception:
        logger.exception("event not written", extra={"action": action})


def _after(name: str, kwargs: dict[str, Any], told: dict[str, Any]) -> int | None:
    """The dataset of something that was not there before."""
    if name == "datasets":
        return told.get("id")
    if name == "invitation":
        return told.get("dataset")
    return _dataset_of(kwargs)


def _words(response: HttpResponseBase) -> dict[str, Any]:
    """What is kept of a JSON request."""
    request = (getattr(response, "renderer_context", None) or {}).get("request")
    if request is None or not str(request.content_type).startswith("application/json"):
        return {}
    data = request.data
    kept: dict[str, Any] = {}
    for key in KEPT:
        value = data.get(key) if isinstance(data, dict) else None
        if key == "people" and isinstance(value, list):
            value = ", ".join(map(str, value))
        if isinstance(value, str) and value:
            kept[key] = value[:WORDS]
        elif isinstance(value, bool | int | float):
            kept[key] = value
    return kept
