"""From a snapshot to a decision about what serves."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from engine.models.versions import ModelVersion


class Snapshot(models.Model):
    """A frozen training set. The manifest itself is ``manifest.json`` in ``path``: it may list a million masks."""

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="snapshots")
    digest = models.CharField(max_length=64)
    path = models.CharField(max_length=500)
    counts = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "digest"], name="engine_one_snapshot_per_dataset_and_digest")
        ]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id} at {self.digest[:12]}"


class SnapshotImage(models.Model):
    """One image of a snapshot. ``parts`` is {folder: [serials of masks]} with the folders of ``snapshots.FOLDERS``.

    Digest and serials, not keys: what was trained on stays told when the image or a mask is deleted.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64)
    parts = models.JSONField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["snapshot", "sha256"], name="engine_one_row_per_snapshot_and_image")
        ]
        indexes: ClassVar = [models.Index(fields=["sha256"], name="engine_snapshots_of_image")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} in snapshot {self.snapshot_id}"


class RetrainingPlan(models.Model):
    """How one dataset is retrained, where it departs from the defaults.

    ``minutes`` and ``steps`` end the training, whichever comes first (null: the installation's). A mask that no person
    has seen counts ``automatic_weight`` of one that somebody has (0..1; 0 leaves them out); ``synthetic_share`` (0..1)
    of the views are scenes made from nothing. When it is retrained is ``task``, a row of django-celery-beat;
    ``asked_at`` and ``answer`` say when that asked last and what came of it.
    """

    dataset = models.OneToOneField("annotation.Dataset", on_delete=models.CASCADE, related_name="retraining_plan")
    minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    steps = models.PositiveIntegerField(null=True, blank=True)
    automatic_weight = models.FloatField(default=0.1)
    synthetic_share = models.FloatField(default=0.2)
    task = models.OneToOneField(
        "django_celery_beat.PeriodicTask", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True, default="")

    def __str__(self) -> str:
        return f"plan of dataset {self.dataset_id}"


class TrainingRun(models.Model):
    """One way from a snapshot to a judged candidate. ``job`` is the ledger row that carries its retries.

    ``config`` is what the trainer was told; ``mix`` how the views were drawn: {people, automatic, synthetic}, shares
    that sum to 1.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "waiting for a worker"
        FREEZING = "freezing", "freezing the training set"
        TRAINING = "training", "training"
        EVALUATING = "evaluating", "comparing with the serving model"
        FINISHED = "finished", "judged"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    OPEN: ClassVar = [State.QUEUED, State.FREEZING, State.TRAINING, State.EVALUATING]

    class Trigger(models.TextChoices):
        PERSON = "person", "started by a person"
        THRESHOLD = "threshold", "enough new masks"
        SCHEDULE = "schedule", "its time had come"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="training_runs")
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    base = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="runs_from")
    snapshot = models.ForeignKey(Snapshot, null=True, blank=True, on_delete=models.RESTRICT, related_name="runs")
    candidate = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs_to"
    )
    job = models.ForeignKey("annotation.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    seed = models.PositiveIntegerField()
    config = models.JSONField(default=dict)
    mix = models.JSONField(default=dict)
    curve = models.JSONField(default=list)
    error_code = models.CharField(max_length=64, blank=True, default="")
    message = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=Q(state__in=["queued", "freezing", "training", "evaluating"]),
                name="engine_one_open_training_run_per_dataset",
            )
        ]

    def __str__(self) -> str:
        return f"training run {self.pk} of dataset {self.dataset_id}: {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether the run still holds the dataset's single training slot."""
        return self.state in self.OPEN


class Evaluation(models.Model):
    """``summary`` is what people read; ``rows`` are the per-mask numbers that the gate pairs."""

    class Role(models.TextChoices):
        CANDIDATE = "candidate", "candidate"
        SERVING = "serving", "serving"

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="evaluations")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="evaluations")
    role = models.CharField(max_length=16, choices=Role.choices)
    summary = models.JSONField()
    rows = models.JSONField()
    images = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "role"], name="engine_one_evaluation_per_run_and_role")
        ]

    def __str__(self) -> str:
        return f"run {self.run_id}, {self.role}"


class Promotion(models.Model):
    """One decision about what serves a dataset. Rows are only ever added."""

    class Kind(models.TextChoices):
        PROMOTE = "promote", "promoted"
        REFUSE = "refuse", "refused"
        ROLLBACK = "rollback", "restored by a person"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="promotions")
    run = models.ForeignKey(TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="decisions")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    from_version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="+")
    to_version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="+")
    reason = models.TextField()
    numbers: Any = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(run__isnull=False), name="engine_one_decision_per_training_run"
            )
        ]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id}: {self.kind} {self.to_version}"


class ShadowComparison(models.Model):
    """People's prompts replayed through the serving version and another one. ``result`` is empty until it is done."""

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="shadow_comparisons")
    serving = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey("annotation.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    result = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id}: {self.other} beside {self.serving}"
