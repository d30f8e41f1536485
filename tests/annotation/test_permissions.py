"""Who may do what: every route and method x every role, generated from the table below. A route without a row fails.

One letter per role, in the order lead, reviewer, annotator, viewer, stranger, nobody:
    +  allowed    -  member, but 403    0  not there for this person: 404    !  not signed in: 401
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from annotation.models import Group, Job, ReviewItem, Task, Track, Upload, Version, Webhook
from annotation.services import uploads
from annotation.services.people import invitation_create, token_create
from engine.models import Audit, Embedding, ModelVersion, Snapshot, TrainingRun, VersionComparison
from tests.cast import add_image, add_mask, add_video, client_of, make_cast, mask_body

ALL = "++++0!"
NO_VIEWER = "+++-0!"
REVIEW = "++--0!"
LEAD = "+---0!"
OWN = "+0000!"  # it is Ana's
ANYBODY = "+++++!"  # signed in is enough
OPEN = "++++++"

TABLE = {
    ("GET", "schema"): OPEN,
    ("GET", "session"): OPEN,
    ("POST", "session"): OPEN,
    ("DELETE", "session"): OPEN,
    ("POST", "session-oidc"): OPEN,
    ("GET", "datasets"): ANYBODY,
    ("POST", "datasets"): ANYBODY,
    ("GET", "dataset"): ALL,
    ("PATCH", "dataset"): LEAD,
    ("DELETE", "dataset"): LEAD,
    ("GET", "members"): ALL,
    ("POST", "members"): LEAD,
    ("PATCH", "member"): LEAD,
    ("DELETE", "member"): LEAD,
    ("GET", "images"): ALL,
    ("POST", "images"): LEAD,
    ("GET", "videos"): ALL,
    ("GET", "video"): ALL,
    ("DELETE", "video"): LEAD,
    ("GET", "video-frames"): ALL,
    ("GET", "video-tracks"): ALL,
    ("POST", "video-tracks"): NO_VIEWER,
    ("GET", "track"): ALL,
    ("PATCH", "track"): NO_VIEWER,
    ("DELETE", "track"): NO_VIEWER,
    ("PUT", "track-mask"): NO_VIEWER,
    ("DELETE", "track-mask"): NO_VIEWER,
    ("POST", "track-propagate"): NO_VIEWER,
    ("POST", "task-next"): NO_VIEWER,
    ("GET", "jobs"): ALL,
    ("GET", "formats"): ANYBODY,
    ("GET", "versions"): ALL,
    ("POST", "versions"): REVIEW,
    ("GET", "version-changes"): ALL,
    ("GET", "export-choices"): ALL,
    ("POST", "export-choices"): ALL,
    ("POST", "exports"): REVIEW,
    ("POST", "imports"): LEAD,
    ("GET", "server-folders"): LEAD,
    ("POST", "server-folders"): LEAD,
    ("POST", "url-lists"): LEAD,
    ("POST", "rights"): LEAD,
    ("GET", "removals"): LEAD,
    ("POST", "removals"): LEAD,
    ("GET", "statistics"): ALL,
    ("POST", "statistics"): ALL,
    ("GET", "datasheet"): ALL,
    ("GET", "measurements"): ALL,
    ("GET", "measurement-figures"): ALL,
    ("POST", "measurement-figures"): ALL,
    ("GET", "measurements-file"): ALL,
    ("GET", "comparisons"): ALL,
    ("POST", "comparisons"): NO_VIEWER,
    ("GET", "comparison"): ALL,
    ("GET", "mask-index"): ALL,
    ("POST", "mask-index"): NO_VIEWER,
    ("GET", "mask-similar"): ALL,
    ("GET", "unusual"): ALL,
    ("POST", "image-mapping"): LEAD,
    ("GET", "uploads"): LEAD,
    ("POST", "uploads"): LEAD,
    ("GET", "upload"): LEAD,
    ("PATCH", "upload"): LEAD,
    ("DELETE", "upload"): LEAD,
    ("GET", "image"): ALL,
    ("PATCH", "image"): LEAD,
    ("DELETE", "image"): LEAD,
    ("GET", "image-file"): ALL,
    ("GET", "image-thumbnail"): ALL,
    ("GET", "image-tile"): ALL,
    ("GET", "image-values"): ALL,
    ("POST", "image-values"): ALL,
    ("GET", "image-value-tile"): ALL,
    ("GET", "image-overlay"): ALL,
    ("GET", "image-masks"): ALL,
    ("GET", "image-changes"): ALL,
    ("GET", "categories"): ALL,
    ("POST", "image-task"): NO_VIEWER,
    ("POST", "image-predict"): NO_VIEWER,
    ("POST", "image-segment"): NO_VIEWER,
    ("POST", "image-alike"): NO_VIEWER,
    ("POST", "dataset-alike"): LEAD,
    ("GET", "mask"): ALL,
    ("PUT", "mask"): NO_VIEWER,
    ("DELETE", "mask"): NO_VIEWER,
    ("POST", "mask-restore"): NO_VIEWER,
    ("GET", "mask-history"): ALL,
    ("GET", "task"): ALL,
    ("POST", "task-renew"): NO_VIEWER,
    ("POST", "task-submit"): NO_VIEWER,
    ("POST", "task-skip"): NO_VIEWER,
    ("POST", "task-release"): NO_VIEWER,
    ("GET", "job"): ALL,
    ("POST", "job-cancel"): LEAD,
    ("POST", "job-retry"): LEAD,
    ("GET", "export-download"): ALL,
    ("GET", "image-embedding"): ALL,
    ("POST", "image-embedding"): NO_VIEWER,
    ("GET", "embedding-map"): ALL,
    ("GET", "embedding-file"): ALL,
    ("GET", "decoder-file"): ALL,
    ("GET", "decoder-part"): ALL,
    ("GET", "loop"): ALL,
    ("GET", "model-provenance"): ALL,
    ("GET", "snapshot-images"): ALL,
    ("GET", "mask-provenance"): ALL,
    ("GET", "image-provenance"): ALL,
    ("GET", "retraining"): ALL,
    ("PATCH", "retraining"): LEAD,
    ("GET", "training-runs"): ALL,
    ("POST", "training-runs"): LEAD,
    ("GET", "training-run"): ALL,
    ("GET", "models"): ALL,
    ("POST", "model-restore"): LEAD,
    ("GET", "shadows"): ALL,
    ("POST", "shadow-start"): LEAD,
    ("GET", "groups"): ANYBODY,
    ("POST", "groups"): ANYBODY,
    ("PATCH", "group"): OWN,
    ("DELETE", "group"): OWN,
    ("GET", "dataset-groups"): ALL,
    ("POST", "dataset-groups"): LEAD,
    ("DELETE", "dataset-group"): LEAD,
    ("GET", "overlaps"): REVIEW,
    ("GET", "consensus"): REVIEW,
    ("POST", "consensus"): REVIEW,
    ("POST", "consensus-undo"): REVIEW,
    ("GET", "agreement"): REVIEW,
    ("GET", "reviews"): REVIEW,
    ("GET", "proof"): REVIEW,
    ("GET", "feedback"): ALL,
    ("GET", "task-review"): ALL,
    ("POST", "task-review"): REVIEW,
    ("PUT", "review-item"): REVIEW,
    ("GET", "invitations"): LEAD,
    ("POST", "invitations"): LEAD,
    ("DELETE", "invitation-revoke"): LEAD,
    ("GET", "invitation"): OPEN,
    ("POST", "invitation"): OPEN,
    ("GET", "webhooks"): LEAD,
    ("POST", "webhooks"): LEAD,
    ("PATCH", "webhook"): LEAD,
    ("DELETE", "webhook"): LEAD,
    ("GET", "webhook-deliveries"): LEAD,
    ("POST", "webhook-deliveries"): LEAD,
    ("GET", "events"): LEAD,
    ("GET", "waiting"): ANYBODY,
    ("GET", "tokens"): ANYBODY,
    ("POST", "tokens"): ANYBODY,
    ("DELETE", "token"): OWN,
    ("GET", "audits"): ALL,
    ("POST", "audits"): LEAD,
    ("POST", "audit-close"): LEAD,
    ("GET", "stages"): ALL,
    ("PATCH", "stage-rule"): LEAD,
    ("POST", "stage-move"): LEAD,
}
# Right, but what is named has no file in this test.
FILES = {
    "session-oidc": "oidc_off",
    "export-download": "export_missing",
    "embedding-file": "file_missing",
    "decoder-file": "file_missing",
    "image-tile": "file_missing",
    "image-value-tile": "file_missing",
    "decoder-part": "no_part",
    "consensus": "no_overlap",
    "consensus-undo": "no_overlap",
    "mask-similar": "no_index",
}
NO_FILES = {"variant": "x", "checkpoint_path": "models/none/x", "decoder_path": "models/none/y"}
METHODS = ("get", "post", "put", "patch", "delete")
EXPECTED = {"-": {403}, "0": {404}, "!": {401}}
REFUSED_AS_A_PERSON = {401, 403, 404}


def routes() -> list[URLPattern]:
    """The API's routes, from the URL configuration itself."""
    found: list[URLPattern] = []
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == "api/":
            found += pattern.url_patterns
    return found


def methods_of(pattern: URLPattern) -> list[str]:
    view = getattr(pattern.callback, "cls", None) or pattern.callback.view_class
    return [method.upper() for method in METHODS if hasattr(view, method)]


def test_every_route_and_method_has_a_row():
    served = {(method, str(pattern.name)) for pattern in routes() for method in methods_of(pattern)}
    assert len(served) > 30
    assert served == set(TABLE)


class Stage:
    """One dataset with one of everything, and the address and body of every request."""

    def __init__(self, name: str = "Fruit") -> None:
        self.cast = make_cast(name)
        self.image = add_image(self.cast.dataset)
        self.mask = add_mask(self.image)
        self.video = add_video(self.cast.dataset)
        frame = self.video.frames.order_by("frame_number")[0]
        self.track = Track.objects.create(video=self.video)
        self.tracked = add_mask(frame, track=self.track)
        self.task = Task.objects.get(image=self.image)
        self.member = self.cast.dataset.members.get(user=self.cast.vic)
        self.job = Job.objects.create(kind="export", title="x", queue="io", dataset=self.cast.dataset)
        self.upload = Upload.objects.create(
            dataset=self.cast.dataset, created_by=self.cast.ana, file_name="x.jpg", byte_size=9
        )
        uploads.file_of(self.upload).parent.mkdir(exist_ok=True)
        uploads.file_of(self.upload).touch()
        ModelVersion.objects.get_or_create(
            digest="b" * 64, defaults={"name": "base", "state": "base", "is_default": True, **NO_FILES}
        )
        self.version = ModelVersion.objects.create(
            digest=hashlib.sha256(name.encode()).hexdigest(),
            name="own",
            state="promoted",
            dataset=self.cast.dataset,
            **NO_FILES,
        )
        self.run = TrainingRun.objects.create(
            dataset=self.cast.dataset, trigger="person", state="finished", base=self.version, seed=1
        )
        Version.objects.create(dataset=self.cast.dataset, number=1, digest=name, path="versions/x/x", images=0, masks=0)
        self.item = ReviewItem.objects.create(task=self.task, mask=self.mask)
        self.invitation, self.secret = invitation_create(dataset=self.cast.dataset, by=self.cast.ana, role="viewer")
        self.webhook = Webhook.objects.create(dataset=self.cast.dataset, url="https://x.test/", secret="whsec_eA==")
        self.group = Group.objects.create(name=name, owner=self.cast.ana)
        self.group.roles.create(dataset=self.cast.dataset, role="viewer")
        self.token, _key = token_create(user=self.cast.ana, name="x")
        self.audit = Audit.objects.create(dataset=self.cast.dataset, source="accepted", size=1, seed=0)
        base = ModelVersion.objects.get(is_default=True)
        self.comparison = VersionComparison.objects.create(
            dataset=self.cast.dataset, first=base, second=self.version, images=[], finished_at=timezone.now()
        )
        # Known by the version's digest, since an address has one of them.
        Snapshot.objects.create(dataset=self.cast.dataset, digest=self.version.digest, path="snapshots/x", counts={})
        Embedding.objects.create(
            image=self.image, version=self.version, path="embeddings/none", layout=[], frame={}, byte_size=1
        )

    def address(self, pattern: URLPattern) -> str:
        values: dict[str, Any] = {
            "dataset_id": self.cast.dataset.pk,
            "member_id": self.member.pk,
            "image_id": self.image.pk,
            "mask_id": self.mask.uuid,
            "task_id": self.task.pk,
            "job_id": self.job.pk,
            "upload_id": self.upload.pk,
            "run_id": self.run.pk,
            "image_sha256": self.image.sha256,
            "digest": self.version.digest,
            "part": "views",
            "tensor": "coarse",
            "stage": "assisted",
            "audit_id": self.audit.pk,
            "number": 1,
            "channel": 0,
            "level": 0,
            "column": 0,
            "row": 0,
            "item_id": self.item.pk,
            "invitation_id": self.invitation.pk,
            "secret": self.secret,
            "group_id": self.group.pk,
            "consensus_id": 1,
            "token_id": self.token.pk,
            "webhook_id": self.webhook.pk,
            "comparison_id": self.comparison.pk,
            "video_id": self.video.pk,
            "track_id": self.track.uuid,
        }
        if pattern.name == "track-mask":
            values["mask_id"] = self.tracked.uuid
        route = re.sub(r"<\w+:(\w+)>", lambda found: str(values[found.group(1)]), str(pattern.pattern))
        assert "<" not in route
        return f"/api/{route}"

    def body(self, method: str, name: str) -> Any:
        """A request that is right in itself, so that a refusal can only mean the person."""
        if (method, name) == ("PUT", "mask"):
            return mask_body(self.image, uuid=None)
        return {
            "session": {"username": "ana", "password": "x"},
            "datasets": {"name": f"New {uuid.uuid4()}"},
            "members": {"username": "cyd", "role": "viewer"},
            "member": {"role": "viewer"},
            "rights": {"all": True, "licence": "CC0"},
            "removals": {"images": [self.image.pk], "reason": "asked for"},
            "exports": {"format": "coco"},
            "comparisons": {"first": "b" * 64, "second": self.version.digest, "images": [self.image.pk]},
            "audits": {"size": 5, "source": "accepted"},
            "stage-rule": {"masks": 10},
            "stage-move": {"to": "semi_automatic"},
            "video-tracks": {"mask": str(self.tracked.uuid)},
            "track": {"category": "plum"},
            "track-propagate": {"image": self.tracked.image_id},
            "image-predict": {"points": [[5, 5]], "labels": [1]},
            "image-alike": {"examples": [str(self.mask.uuid)]},
            "dataset-alike": {"examples": [str(self.mask.uuid)], "threshold": 0.5},
            "image-segment": {"prompts": [{"points": [[5, 5]]}]},
            "task-review": {"x": 1, "y": 1},
            "review-item": {"verdict": "accepted"},
            "invitations": {"role": "viewer"},
            "invitation": {"username": f"new{uuid.uuid4().hex}", "password": "correct horse battery"},
            "groups": {"name": f"New {uuid.uuid4()}"},
            "group": {"name": "Renamed"},
            "dataset-groups": {"group": self.group.pk, "role": "annotator"},
            "tokens": {"name": "x"},
            "webhooks": {"url": "https://x.test/"},
            "task-renew": {"lease": str(uuid.uuid4())},
            "task-release": {"lease": str(uuid.uuid4())},
            "task-skip": {"lease": str(uuid.uuid4()), "reason": "x"},
            "task-submit": {"lease": str(uuid.uuid4()), "seconds": 1, "answer": "done"},
        }.get(name, {})


CELLS = [
    pytest.param(pattern, method, role, TABLE[method, str(pattern.name)][place], id=f"{method} {pattern.name} {role}")
    for pattern in routes()
    for method in methods_of(pattern)
    for place, role in enumerate(("lead", "reviewer", "annotator", "viewer", "stranger", "nobody"))
    if (method, str(pattern.name)) in TABLE
]


@pytest.mark.django_db
@pytest.mark.parametrize(("pattern", "method", "role", "letter"), CELLS)
def test_cell(pattern, method, role, letter):
    stage = Stage()
    client = client_of(stage.cast.everybody()[role])
    kind = "multipart" if (method, pattern.name) in {("POST", "images"), ("POST", "imports")} else "json"
    send = getattr(client, method.lower())
    body = stage.body(method, str(pattern.name))
    answer = send(stage.address(pattern), **({} if method == "GET" else {"data": body, "format": kind}))
    assert answer.status_code < 500 or answer.status_code == 503
    if letter != "+":
        assert answer.status_code in EXPECTED[letter]
        assert set(answer.json()) == {"code", "message", "details"}
    elif pattern.name in FILES:
        assert answer.json()["code"] == FILES[pattern.name]
    else:
        assert answer.status_code not in REFUSED_AS_A_PERSON


@pytest.mark.django_db
@pytest.mark.parametrize(
    "pattern",
    [one for one in routes() if "<" in str(one.pattern) and one.name != "invitation"],  # whose link is the key
    ids=lambda p: p.name,
)
def test_a_lead_of_another_dataset_is_a_stranger_here(pattern):
    """Everything by its own id, asked by somebody who leads another dataset."""
    stage = Stage()
    other = Stage("Vegetables")
    other.cast.dataset.members.exclude(user=other.cast.cyd).delete()
    other.cast.dataset.members.create(user=other.cast.cyd, role="lead")
    client = client_of(other.cast.cyd)
    for method in methods_of(pattern):
        if (method, pattern.name) in {("POST", "images"), ("POST", "imports")}:
            answer = client.post(stage.address(pattern), {}, format="multipart")
        else:
            answer = getattr(client, method.lower())(stage.address(pattern), stage.body(method, str(pattern.name)))
        assert answer.status_code == 404, f"{method} {pattern.name}: {answer.status_code}"


@pytest.mark.django_db
def test_whoever_started_a_job_may_stop_it():
    stage = Stage()
    Job.objects.update(created_by=stage.cast.rae)
    assert client_of(stage.cast.rae).post(f"/api/jobs/{stage.job.pk}/cancel/").json()["state"] == "cancelled"
    assert client_of(stage.cast.rae).post(f"/api/jobs/{stage.job.pk}/retry/").json()["state"] == "queued"


@pytest.mark.django_db
def test_whoever_started_a_job_has_it_run_again_only_while_they_may_start_such_a_one():
    stage = Stage()
    stage.job.created_by, stage.job.kind, stage.job.state = stage.cast.vic, "import", "failed"
    stage.job.save()
    assert client_of(stage.cast.vic).post(f"/api/jobs/{stage.job.pk}/retry/").json()["code"] == "role_too_low"
    stage.cast.dataset.members.filter(user=stage.cast.vic).update(role="lead")
    assert client_of(stage.cast.vic).post(f"/api/jobs/{stage.job.pk}/retry/").json()["state"] == "queued"


@pytest.mark.django_db
def test_a_member_of_one_dataset_reaches_nothing_through_nested_routes():
    stage, other = Stage(), Stage("Vegetables")
    url = f"/api/datasets/{stage.cast.dataset.pk}/members/{other.member.pk}/"
    assert client_of(stage.cast.ana).delete(url).status_code == 404
    assert client_of(stage.cast.ana).patch(url, {"role": "lead"}).status_code == 404
