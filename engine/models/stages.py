"""What the machine's part of a stage is made with and did, and how a dataset goes from stage to stage."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models import Stage
from engine.models.training import TrainingRun
from engine.models.versions import ModelVersion


class Detector(models.Model):
    """A one-class object detector on one version's embeddings, trained on one dataset's masks.

    Of a (dataset, version) the newest counts. A row beside ModelVersion, not columns of it: a shared base version works
    for many datasets, and each has its own objects (docs/decisions/0006-proposals.md). ``digest`` is the SHA-256 of
    the file at ``path``; ``metrics`` is what was measured on held-out images, ``calibration`` how a proposal's chance
    is told and from which chance on it is proposed. ``gates`` are the settings of the fully automatic stage's grid that
    were fitted to the version on the same pictures; null where none keep enough right masks.
    """

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="detectors")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="detectors")
    run = models.ForeignKey(TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="detectors")
    digest = models.CharField(max_length=64)
    path = models.CharField(max_length=500)
    calibration = models.JSONField(default=dict)
    gates = models.JSONField(null=True, default=None)
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "version"], name="engine_one_detector_per_run_and_version")
        ]

    def __str__(self) -> str:
        return f"detector {self.digest[:12]} of {self.version}"


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
