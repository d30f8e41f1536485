"""Rows of the loop. Rules about one row live here; everything that touches two rows is a service beside this module.

ModelVersion   immutable weights, known by the sha256 of the checkpoint file
ServingModel   which version a dataset's annotators work with (no row: the default base version)
Embedding      the encoder's output for one image and one version: a float16 file
Snapshot       the frozen training set of one moment, known by the digest of its manifest
SnapshotImage  which masks of which image a snapshot holds: its manifest, where it can be asked from either end
RetrainingPlan how a dataset is retrained, and what came of its schedule the last time
TrainingRun    one way from a snapshot to a candidate; at most one open per dataset
Evaluation     what was measured for the candidate or the serving version in one run
Promotion      every switch of the serving version, and every refusal to switch
ShadowComparison  people's prompts replayed through the serving version and another one
Detector       finds boxes on one version's embeddings: what the semi-automatic stage proposes
StageResult    one image done by one machine stage with one version and one set of settings
Uncertainty    how unsure one version is of one image: the order of the queue
StageRule      what a lead asks for before a dataset leaves a stage
StageMove      every change of a dataset's stage: by rule or by whom, and the values of that moment
Audit          a random sample that people correct, and what that says of the masks (AuditedImage: one of its images)
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models import Stage


class ModelVersion(models.Model):
    """Immutable weights. ``dataset`` is null for the shared base versions that ship with the product."""

    class State(models.TextChoices):
        BASE = "base", "shipped with the product"
        CANDIDATE = "candidate", "trained, not judged yet"
        PROMOTED = "promoted", "passed the gate"
        REFUSED = "refused", "refused by the gate"

    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    variant = models.CharField(max_length=64)
    dataset = models.ForeignKey(
        "annotation.Dataset", null=True, blank=True, on_delete=models.CASCADE, related_name="model_versions"
    )
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    state = models.CharField(max_length=16, choices=State.choices)
    is_default = models.BooleanField(default=False)
    checkpoint_path = models.CharField(max_length=500)
    decoder_path = models.CharField(max_length=500)
    metrics = models.JSONField(default=dict)
    # Of weights made elsewhere: {"licence", "file", "url", "project"}, texts, each where it is known.
    origin = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="engine_one_default_base_version"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(dataset__isnull=True), name="engine_default_version_is_shared"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.short_digest})"

    @property
    def short_digest(self) -> str:
        """The twelve characters people see."""
        return self.digest[:12]


class ServingModel(models.Model):
    """The version that serves one dataset. Written by ``engine.promotion`` alone, by one conditional UPDATE."""

    dataset = models.OneToOneField("annotation.Dataset", on_delete=models.CASCADE, related_name="serving_model")
    version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="serving")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"dataset {self.dataset_id}: {self.version}"


class Embedding(models.Model):
    """Float16 little-endian file of one image for one version; ``layout`` and ``frame`` say how to read it."""

    image = models.ForeignKey("annotation.Image", on_delete=models.CASCADE, related_name="embeddings")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="embeddings")
    path = models.CharField(max_length=500)
    layout = models.JSONField()
    frame = models.JSONField()
    byte_size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["image", "version"], name="engine_one_embedding_per_image_and_version")
        ]

    def __str__(self) -> str:
        return f"image {self.image_id} by version {self.version_id}"


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


class Detector(models.Model):
    """A one-class object detector on one version's embeddings, trained on one dataset's masks.

    Of a (dataset, version) the newest counts. A row beside ModelVersion, not columns of it: a shared base version works
    for many datasets, and each has its own objects (docs/decisions/0006-proposals.md). ``digest`` is the SHA-256 of
    the file at ``path``; ``metrics`` is what was measured on held-out images, ``calibration`` how a proposal's chance
    is told and from which chance on it is proposed.
    """

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="detectors")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="detectors")
    run = models.ForeignKey(TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="detectors")
    digest = models.CharField(max_length=64)
    path = models.CharField(max_length=500)
    calibration = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "version"], name="engine_one_detector_per_run_and_version")
        ]

    def __str__(self) -> str:
        return f"detector {self.digest[:12]} of {self.version}"


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


class StageResult(models.Model):
    """A machine stage's finished work on one image: what makes it resumable, also where it found nothing."""

    image = models.ForeignKey("annotation.Image", on_delete=models.CASCADE, related_name="stage_results")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="stage_results")
    stage = models.CharField(max_length=32)
    settings_digest = models.CharField(max_length=64)
    masks = models.PositiveIntegerField()
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["image", "stage", "version", "settings_digest"], name="engine_one_result_per_image_and_settings"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stage} on image {self.image_id}"


class StageRule(models.Model):
    """What must hold before a dataset leaves ``stage``. A target that is null is not asked for.

    ``iou`` (0..1) is the serving model's held-out IoU after ``clicks`` clicks, ``kept`` the share (0..1) of prefilled
    masks that people kept untouched. Without ``by_rule`` the dataset stays until a lead moves it.
    """

    class Clicks(models.IntegerChoices):
        ONE = 1, "1 click"
        THREE = 3, "3 clicks"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="stage_rules")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    masks = models.PositiveIntegerField(null=True, blank=True)
    clicks = models.PositiveSmallIntegerField(choices=Clicks.choices, default=Clicks.ONE)
    iou = models.FloatField(null=True, blank=True)
    kept = models.FloatField(null=True, blank=True)
    by_rule = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "stage"], name="engine_one_rule_per_dataset_and_stage")
        ]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id} leaves {self.stage}"


class StageMove(models.Model):
    """One change of a dataset's stage. Rows are only ever added; ``by`` is null when the rule moved it."""

    class Kind(models.TextChoices):
        RULE = "rule", "by rule"
        PERSON = "person", "by a person"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="stage_moves")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    from_stage = models.CharField(max_length=16, choices=Stage.choices)
    to_stage = models.CharField(max_length=16, choices=Stage.choices)
    values = models.JSONField(default=list)
    note = models.CharField(max_length=500, blank=True, default="")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id}: {self.from_stage} to {self.to_stage}"


class Audit(models.Model):
    """People correct every mask on a random sample of images; the IoU before and after is the quality figure.

    ``numbers`` is what was measured so far (see ``engine.audit``), frozen once the audit is closed. ``size`` counts the
    images that were drawn with ``seed``.
    """

    class Source(models.TextChoices):
        AUTOMATIC = "automatic", "masks that the model accepted by itself"
        ACCEPTED = "accepted", "all accepted masks"

    class State(models.TextChoices):
        OPEN = "open", "being corrected"
        CLOSED = "closed", "closed"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="audits")
    source = models.CharField(max_length=16, choices=Source.choices)
    size = models.PositiveIntegerField()
    seed = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    numbers = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset"], condition=Q(state="open"), name="engine_one_open_audit_per_dataset"
            )
        ]

    def __str__(self) -> str:
        return f"audit {self.pk} of dataset {self.dataset_id}: {self.state}"


class AuditedImage(models.Model):
    """One image of an audit: the masks as they were (serials), and per mask what became of it.

    ``pairs`` are [{"mask": uuid, "outcome": kept | corrected | deleted, "iou": 0..1}], ``added`` counts masks that the
    corrector found missing; both are written once, when the task is submitted.
    """

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey("annotation.Image", on_delete=models.CASCADE, related_name="+")
    task = models.OneToOneField("annotation.Task", null=True, on_delete=models.SET_NULL, related_name="audited_image")
    masks = models.JSONField()
    pairs = models.JSONField(default=list)
    added = models.PositiveIntegerField(default=0)
    corrected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["audit", "image"], name="engine_one_place_per_image_in_an_audit")
        ]

    def __str__(self) -> str:
        return f"image {self.image_id} in audit {self.audit_id}"


class Uncertainty(models.Model):
    """How unsure one version is of one image; see ``engine.uncertainty``. All 0..1, means over the probes."""

    image = models.ForeignKey("annotation.Image", on_delete=models.CASCADE, related_name="uncertainties")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="uncertainties")
    value = models.FloatField()
    disagreement = models.FloatField()
    predicted_iou = models.FloatField()
    stability = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["image", "version"], name="engine_one_uncertainty_per_image_and_version")
        ]

    def __str__(self) -> str:
        return f"image {self.image_id} for version {self.version_id}: {self.value:.3f}"
