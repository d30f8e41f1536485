"""How the engine's routes show a version of the model to a dataset: what it learnt from, how it was judged."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from engine.models import Detector, Evaluation, ModelVersion, Promotion, TrainingRun


def version_context(dataset_id: int, serving: ModelVersion | None) -> dict[str, Any]:
    """What ModelVersionOut has to know of the dataset: which version serves, and how each was last judged there."""
    judged = Evaluation.objects.filter(run__dataset_id=dataset_id).order_by("pk").values_list("version_id", "summary")
    detectors = {row.version_id: row for row in Detector.objects.filter(dataset_id=dataset_id).order_by("pk")}
    runs = TrainingRun.objects.filter(dataset_id=dataset_id, candidate__isnull=False).select_related("snapshot")
    switches: dict[int, list[Promotion]] = defaultdict(list)
    for row in Promotion.objects.filter(dataset_id=dataset_id).select_related("by").order_by("pk"):
        switches[row.to_version_id].append(row)
    return {
        "serving": serving.pk if serving else None,
        "judged": dict(judged),
        "detectors": detectors,
        "runs": {run.candidate_id: run for run in runs.defer("curve", "config").order_by("pk")},
        "switches": switches,
    }


class GridGatesOut(serializers.Serializer[Any]):
    """Gates of the fully automatic stage's grid, and what they keep on validation images."""

    pred_iou_thresh = serializers.FloatField()
    stability_score_thresh = serializers.FloatField()
    kept = serializers.IntegerField()
    right = serializers.IntegerField()
    pictures = serializers.IntegerField()


class DetectorOut(serializers.Serializer[Any]):
    """What finds masks in the machine's stages, for one version and dataset."""

    digest = serializers.CharField()
    model = serializers.CharField(source="version.digest", help_text="Digest of the version whose embeddings it reads.")
    precision = serializers.FloatField(source="calibration.precision", help_text="Share that was to be right.")
    right_iou = serializers.FloatField(source="calibration.right_iou", help_text="IoU from which a proposal is right.")
    threshold = serializers.FloatField(source="calibration.threshold", help_text="Chance from which it is proposed.")
    calibrated = serializers.BooleanField(
        source="calibration.measured", help_text="False: too few validation masks, the plain score decides."
    )
    gates = GridGatesOut(allow_null=True, help_text="Null: no gates keep enough right masks, the grid is not used.")
    metrics = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="On held-out images, see docs/evaluation.md."
    )
    created_at = serializers.DateTimeField()


class SwitchOut(serializers.ModelSerializer[Any]):
    """One decision about a version: promoted or refused by the gate, or put to work by a person."""

    kind = serializers.ChoiceField(choices=Promotion.Kind.choices)
    by = serializers.CharField(source="by.username", default=None, allow_null=True, help_text="Null: the gate.")

    class Meta:
        model = Promotion
        fields = ["kind", "by", "reason", "at"]


class TrainedOnOut(serializers.Serializer[Any]):
    """The run that made a version, and what it learnt from."""

    run = serializers.IntegerField(source="pk")
    snapshot = serializers.CharField(source="snapshot.digest", default=None, allow_null=True)
    parts = serializers.DictField(
        source="snapshot.counts",
        default=dict,
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="Images and masks per part.",
    )
    mix = serializers.DictField(child=serializers.FloatField(), help_text="Shares of the views.")


class ModelVersionOut(serializers.ModelSerializer[Any]):
    """One version as a dataset sees it; the context is made by `version_context`."""

    parent = serializers.CharField(source="parent.digest", default=None, allow_null=True)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    serving = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    metrics = serializers.SerializerMethodField(help_text="On held-out images of the dataset; empty before a run.")
    origin = serializers.DictField(
        child=serializers.CharField(), help_text="Of weights made elsewhere: licence, file, url, project, where known."
    )
    detector = serializers.SerializerMethodField(help_text="Null: a grid of points proposes.")
    trained_on = serializers.SerializerMethodField(help_text="Null: it was not trained on this dataset.")
    switches = serializers.SerializerMethodField(help_text="What was decided about it, oldest first.")

    class Meta:
        model = ModelVersion
        fields = [
            "digest",
            "name",
            "variant",
            "parent",
            "serving",
            "state",
            "metrics",
            "origin",
            "detector",
            "trained_on",
            "switches",
            "created_at",
        ]

    def get_serving(self, row: ModelVersion) -> bool:
        """Whether annotators of the dataset work with it now."""
        return bool(row.pk == self.context["serving"])

    @extend_schema_field(DetectorOut(allow_null=True))
    def get_detector(self, row: ModelVersion) -> dict[str, Any] | None:
        """The newest one of the dataset."""
        detector = self.context["detectors"].get(row.pk)
        # Its version is this row, at hand: no query for each.
        return None if detector is None else dict(DetectorOut(_with_version(detector, row)).data)

    @extend_schema_field(TrainedOnOut(allow_null=True))
    def get_trained_on(self, row: ModelVersion) -> dict[str, Any] | None:
        """The newest run of the dataset that ended in it."""
        run = self.context["runs"].get(row.pk)
        return None if run is None else dict(TrainedOnOut(run).data)

    @extend_schema_field(SwitchOut(many=True))
    def get_switches(self, row: ModelVersion) -> list[Any]:
        """As the dataset saw them."""
        return list(SwitchOut(self.context["switches"].get(row.pk, []), many=True).data)

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(allow_null=True)))
    def get_metrics(self, row: ModelVersion) -> dict[str, float | None]:
        """The newest figures; a version trained elsewhere brings its own until it is judged here."""
        judged: dict[str, float | None] = self.context["judged"].get(row.pk, row.metrics)
        return judged


def _with_version(detector: Detector, version: ModelVersion) -> Detector:
    detector.version = version
    return detector
