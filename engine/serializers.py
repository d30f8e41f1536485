"""Shapes that the engine's routes give out. They never query; what they need comes with the row."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.models import Job
from engine.models import Detector, Evaluation, ModelVersion, Promotion, ShadowComparison, TrainingRun
from engine.plans import MOST_STEPS
from engine.retraining import LoopState, is_abandoned

SIZE = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2, help_text="[height, width]")


class LayoutOut(serializers.Serializer[Any]):
    """One tensor of an embedding file; they follow one another in this order."""

    name = serializers.CharField()
    shape = serializers.ListField(child=serializers.IntegerField(), help_text="[channels, height, width]")


class FrameOut(serializers.Serializer[Any]):
    """How the picture lies in the model's input; every size is [height, width]."""

    original_size = SIZE
    input_size = SIZE
    padded_size = SIZE


class EmbeddingOut(serializers.Serializer[Any]):
    """Where the image stands for the model, and where its embedding and decoder are once it is ready."""

    state = serializers.ChoiceField(choices=["ready", "pending", "failed"])
    message = serializers.CharField()
    url = serializers.CharField(allow_null=True, help_text="float16, little-endian, tensors one after the other.")
    model = serializers.CharField(help_text="Digest of the model version.")
    layout = LayoutOut(many=True)
    frame = FrameOut(allow_null=True)
    decoder_url = serializers.CharField(help_text="ONNX file of the decoder.")
    job = serializers.UUIDField(allow_null=True, help_text="The job that prepares the image.")


def version_context(dataset_id: int, serving: ModelVersion | None) -> dict[str, Any]:
    """What ModelVersionOut has to know of the dataset: which version serves, and how each was last judged there."""
    judged = Evaluation.objects.filter(run__dataset_id=dataset_id).order_by("pk").values_list("version_id", "summary")
    detectors = {row.version_id: row for row in Detector.objects.filter(dataset_id=dataset_id).order_by("pk")}
    return {"serving": serving.pk if serving else None, "judged": dict(judged), "detectors": detectors}


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


class ModelVersionOut(serializers.ModelSerializer[Any]):
    """One version as a dataset sees it; the context is made by `version_context`."""

    parent = serializers.CharField(source="parent.digest", default=None, allow_null=True)  # type: ignore[assignment]
    serving = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    metrics = serializers.SerializerMethodField(help_text="On held-out images of the dataset; empty before a run.")
    origin = serializers.DictField(
        child=serializers.CharField(), help_text="Of weights made elsewhere: licence, file, url, project, where known."
    )
    detector = serializers.SerializerMethodField(help_text="Null: a grid of points proposes.")

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

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(allow_null=True)))
    def get_metrics(self, row: ModelVersion) -> dict[str, float | None]:
        """The newest figures; a version trained elsewhere brings its own until it is judged here."""
        judged: dict[str, float | None] = self.context["judged"].get(row.pk, row.metrics)
        return judged


def _with_version(detector: Detector, version: ModelVersion) -> Detector:
    detector.version = version
    return detector


class SnapshotOut(serializers.Serializer[Any]):
    """What a run was trained and judged on."""

    digest = serializers.CharField()
    images = serializers.IntegerField()
    masks = serializers.IntegerField()
    parts = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()), help_text="Images and masks per part."
    )


class EvaluationOut(serializers.ModelSerializer[Any]):
    """Measured on the held-out images of the run's snapshot."""

    role = serializers.ChoiceField(choices=Evaluation.Role.choices)
    digest = serializers.CharField(source="version.digest")
    summary = serializers.DictField(child=serializers.FloatField(allow_null=True))

    class Meta:
        model = Evaluation
        fields = ["role", "digest", "summary", "images"]


class DifferenceOut(serializers.Serializer[Any]):
    """One figure of both models on the same masks: candidate minus serving, with its interval."""

    serving = serializers.FloatField()
    candidate = serializers.FloatField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    masks = serializers.IntegerField()


class ComparisonOut(serializers.Serializer[Any]):
    """The score (mean IoU of 1, 3, 5 clicks and a box) and every figure of one set of masks."""

    combined = DifferenceOut()
    metrics = serializers.DictField(child=DifferenceOut())


class GateOut(ComparisonOut):
    """All held-out masks, and the same by stage and by category where there are several."""

    images = serializers.IntegerField(allow_null=True)
    resampled = serializers.ChoiceField(choices=["images", "masks"], help_text="What the intervals were drawn from.")
    confidence = serializers.FloatField()
    groups = serializers.DictField(
        child=serializers.DictField(child=ComparisonOut()), help_text="stage and category, each by name."
    )


class DecisionOut(serializers.ModelSerializer[Any]):
    """What the gate said. `numbers` is its record as it was written; `gate` the comparisons in it."""

    kind = serializers.ChoiceField(choices=Promotion.Kind.choices)
    numbers = serializers.JSONField()
    gate = serializers.SerializerMethodField(help_text="Null where nothing was compared.")

    class Meta:
        model = Promotion
        fields = ["kind", "reason", "numbers", "gate", "at"]

    @extend_schema_field(GateOut(allow_null=True))
    def get_gate(self, row: Promotion) -> dict[str, Any] | None:
        """Decisions of earlier days have fewer figures and no groups."""
        numbers = row.numbers
        if "combined" not in numbers:
            return None
        told = {"images": None, "resampled": "masks", "groups": {}, **numbers}
        confidence = numbers.get("rules", {}).get("confidence", 0.95)
        return dict(GateOut({**told, "confidence": confidence}).data)


class RunErrorOut(serializers.Serializer[Any]):
    """Why a run came to nothing."""

    code = serializers.CharField()
    message = serializers.CharField()


class TrainingRunOut(serializers.ModelSerializer[Any]):
    """One run; rows come with dataset, job, snapshot, base, candidate, evaluations and decisions."""

    state = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField(help_text="0..1")
    message = serializers.SerializerMethodField()
    curve = serializers.ListField(
        child=serializers.DictField(child=serializers.FloatField(allow_null=True)),
        help_text="Points with step, loss and, after a validation, its figures.",
    )
    snapshot = serializers.SerializerMethodField()
    base = serializers.CharField(source="base.digest", help_text="Digest of the version that training started from.")
    candidate = serializers.CharField(source="candidate.digest", default=None, allow_null=True)
    evaluations = EvaluationOut(many=True)
    decision = serializers.SerializerMethodField()
    detector = serializers.SerializerMethodField(help_text="Null while none was trained.")
    error = serializers.SerializerMethodField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    minutes = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    mix = serializers.DictField(
        child=serializers.FloatField(),
        help_text="Shares of the views: people, automatic, synthetic. Empty until it trains.",
    )

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "dataset",
            "trigger",
            "state",
            "progress",
            "message",
            "curve",
            "snapshot",
            "base",
            "candidate",
            "evaluations",
            "decision",
            "detector",
            "error",
            "job",
            "minutes",
            "steps",
            "mix",
            "created_at",
            "finished_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=TrainingRun.State.choices))
    def get_state(self, row: TrainingRun) -> str:
        """A run whose job has ended without it is over, also before anything has tidied up."""
        if row.is_open and is_abandoned(row):
            cancelled = row.job is not None and row.job.state == Job.State.CANCELLED
            return str(TrainingRun.State.CANCELLED if cancelled else TrainingRun.State.FAILED)
        return row.state

    def get_progress(self, row: TrainingRun) -> float:
        """As its job says."""
        if row.state == TrainingRun.State.FINISHED:
            return 1.0
        return row.job.progress if row.job else 0.0

    def get_message(self, row: TrainingRun) -> str:
        """While it is open what its job says, afterwards how it ended."""
        if not row.is_open:
            return row.message
        return (row.job.message or row.job.error_message) if row.job else ""

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_minutes(self, row: TrainingRun) -> float | None:
        """Most minutes of training, once that is settled."""
        minutes: float | None = row.config.get("minutes")
        return minutes

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_steps(self, row: TrainingRun) -> int | None:
        """Most steps of training; null where only the minutes end it."""
        steps: int | None = row.config.get("steps")
        return steps if steps != MOST_STEPS else None

    @extend_schema_field(SnapshotOut(allow_null=True))
    def get_snapshot(self, row: TrainingRun) -> dict[str, Any] | None:
        """Totals and parts."""
        if row.snapshot is None:
            return None
        counts = row.snapshot.counts
        return {
            "digest": row.snapshot.digest,
            "images": sum(part["images"] for part in counts.values()),
            "masks": sum(part["masks"] for part in counts.values()),
            "parts": counts,
        }

    @extend_schema_field(DecisionOut(allow_null=True))
    def get_decision(self, row: TrainingRun) -> dict[str, Any] | None:
        """Null until it is decided."""
        decisions = list(row.decisions.all())
        return dict(DecisionOut(decisions[0]).data) if decisions else None

    @extend_schema_field(DetectorOut(allow_null=True))
    def get_detector(self, row: TrainingRun) -> dict[str, Any] | None:
        """Of the version that served after the decision."""
        detectors = list(row.detectors.all())
        return dict(DetectorOut(detectors[0]).data) if detectors else None

    @extend_schema_field(RunErrorOut(allow_null=True))
    def get_error(self, row: TrainingRun) -> dict[str, str] | None:
        """Null unless it failed or was cancelled."""
        return {"code": row.error_code, "message": row.message} if row.error_code else None


class ShadowResultOut(serializers.Serializer[Any]):
    """Of the replayed masks; in `all` and `edited` the other version is the candidate."""

    masks = serializers.IntegerField()
    images = serializers.IntegerField()
    prompts = serializers.IntegerField()
    all = DifferenceOut()
    edited = DifferenceOut(allow_null=True, help_text="Masks that people corrected by hand.")
    agreement = serializers.FloatField(help_text="Mean IoU of the two answers with one another.")
    agreed = serializers.FloatField(help_text="Share of masks where that is at least 0.9.")
    on_training_images = serializers.BooleanField(help_text="True where other images had too few prompts.")


class ShadowOut(serializers.Serializer[Any]):
    """A comparison on live prompts."""

    id = serializers.IntegerField()
    serving = serializers.CharField(source="serving.digest")
    other = serializers.CharField(source="other.digest")
    other_name = serializers.CharField(source="other.name")
    job = serializers.UUIDField(source="job_id", allow_null=True)
    message = serializers.SerializerMethodField(help_text="While it runs, or why it came to nothing.")
    error_code = serializers.CharField(source="job.error_code", default="", help_text="Empty unless it failed.")
    result = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_message(self, row: ShadowComparison) -> str:
        """As its job says."""
        if row.finished_at is not None or row.job is None:
            return ""
        return row.job.error_message or row.job.message or "Waiting for a worker."

    @extend_schema_field(ShadowResultOut(allow_null=True))
    def get_result(self, row: ShadowComparison) -> dict[str, Any] | None:
        """Null until it is done."""
        return dict(ShadowResultOut(row.result).data) if row.result else None


class ReasonOut(serializers.Serializer[Any]):
    """One thing that stands against a run."""

    code = serializers.CharField()
    message = serializers.CharField()


class LoopOut(serializers.Serializer[Any]):
    """Today's values of the loop."""

    new_masks = serializers.IntegerField(help_text="On training images, since the last run was started.")
    retrain_after = serializers.IntegerField()
    auto_retrain = serializers.BooleanField()
    train_masks = serializers.IntegerField()
    held_out_masks = serializers.IntegerField()
    held_out_needed = serializers.IntegerField()
    can_retrain = serializers.BooleanField()
    reasons = ReasonOut(many=True, help_text="Why no run can start now; empty if one can.")
    serving = ModelVersionOut(allow_null=True)
    open_run = TrainingRunOut(allow_null=True)


def loop_out(dataset: Any, state: LoopState) -> dict[str, Any]:
    """The state of the loop as JSON."""
    context = version_context(dataset.pk, state.serving)
    return {
        "new_masks": state.new_masks,
        "retrain_after": dataset.retrain_after,
        "auto_retrain": dataset.auto_retrain,
        "train_masks": state.train_masks,
        "held_out_masks": state.held_out_masks,
        "held_out_needed": state.held_out_needed,
        "can_retrain": state.can_retrain,
        "reasons": [{"code": reason.code, "message": reason.message} for reason in state.reasons],
        "serving": ModelVersionOut(state.serving, context=context).data if state.serving else None,
        "open_run": TrainingRunOut(state.open_run).data if state.open_run else None,
    }
