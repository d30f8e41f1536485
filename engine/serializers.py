"""Shapes that the engine's routes give out. They never query; what they need comes with the row."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.models import Job
from engine.models import Evaluation, Promotion, ShadowComparison, TrainingRun
from engine.plans import MOST_STEPS
from engine.retraining import LoopState, is_abandoned
from engine.version_shapes import DetectorOut, ModelVersionOut, version_context


def size() -> serializers.ListField:
    """A field of its own each time: one that stands in a shape twice would be known by its last name alone."""
    return serializers.ListField(
        child=serializers.IntegerField(), min_length=2, max_length=2, help_text="[height, width]"
    )


class LayoutOut(serializers.Serializer[Any]):
    """One tensor of an embedding file; they follow one another in this order."""

    name = serializers.CharField()
    shape = serializers.ListField(child=serializers.IntegerField(), help_text="[channels, height, width]")


class FrameOut(serializers.Serializer[Any]):
    """How the picture lies in the model's input; every size is [height, width]."""

    original_size = size()
    input_size = size()
    padded_size = size()


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
    resampled = serializers.ChoiceField(
        choices=["videos", "images", "masks"],
        help_text="What the intervals were drawn from; with videos, images that belong to none count as one each.",
    )
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
