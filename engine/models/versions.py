"""Model versions and what belongs to one: which serves, embeddings, how unsure it is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


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
