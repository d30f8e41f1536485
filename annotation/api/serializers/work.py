"""Tasks, jobs and the session."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Number
from annotation.api.serializers.images import ImageOut, image_out
from annotation.models import Comparison, Job, Task


class PairOut(serializers.Serializer[Any]):
    """Two masks of one object."""

    reference = serializers.UUIDField()
    mask = serializers.UUIDField()
    iou = serializers.FloatField()


class FeedbackOut(serializers.ModelSerializer[Any]):
    """A trainee's masks beside the gold ones."""

    mean_iou = serializers.FloatField(allow_null=True, help_text="A missed object counts as 0.")
    pairs = PairOut(many=True, help_text="Objects that both masked.")

    class Meta:
        model = Comparison
        fields = ["mean_iou", "pairs", "missed", "extra"]


class TaskOut(serializers.ModelSerializer[Any]):
    """Work on one image. `lease` is only told to its holder."""

    image = serializers.SerializerMethodField()
    assignee = serializers.SerializerMethodField()
    lease = serializers.SerializerMethodField()
    upcoming = serializers.SerializerMethodField(help_text="Ids of the images that come next, for prefetching.")
    feedback = serializers.SerializerMethodField(help_text="After a training image was submitted.")

    class Meta:
        model = Task
        fields = [
            "id",
            "image",
            "kind",
            "state",
            "assignee",
            "lease",
            "lease_expires_at",
            "seconds",
            "answer",
            "skip_reason",
            "upcoming",
            "feedback",
            "created_at",
            "submitted_at",
        ]

    @extend_schema_field(FeedbackOut(allow_null=True))
    def get_feedback(self, row: Task) -> dict[str, Any] | None:
        """Brought along by the view for whoever did the image."""
        comparison = self.context.get("feedback")
        return dict(FeedbackOut(comparison).data) if comparison else None

    @extend_schema_field(ImageOut)
    def get_image(self, row: Task) -> dict[str, Any]:
        """The whole image, so that the editor needs one request."""
        return image_out(row.image_id)

    def get_assignee(self, row: Task) -> str | None:
        """User name of the holder."""
        return row.assignee.get_username() if row.assignee else None

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_lease(self, row: Task) -> str | None:
        """Who knows the lease holds the image."""
        mine = row.assignee_id == self.context["user"].pk
        return str(row.lease) if mine and row.lease else None

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_upcoming(self, row: Task) -> list[int]:
        """Brought along by the view."""
        return list(self.context.get("upcoming", []))


class FinishedTaskOut(TaskOut):
    """Work that is done with, and what was handed out in the same request."""

    next = serializers.SerializerMethodField(
        help_text="The next task, where `next_kind` asked for one; null where there is none, or it is refused."
    )

    class Meta(TaskOut.Meta):
        fields = [*TaskOut.Meta.fields, "next"]

    @extend_schema_field(TaskOut(allow_null=True))
    def get_next(self, row: Task) -> dict[str, Any] | None:
        """Brought along by the view."""
        following = self.context.get("next")
        return dict(TaskOut(following, context={**self.context, "feedback": None}).data) if following else None


class TaskKindIn(serializers.Serializer[Any]):
    """Which work is asked for."""

    kind = serializers.ChoiceField(choices=Task.Kind.choices, default=Task.Kind.ANNOTATE)


class LeaseIn(serializers.Serializer[Any]):
    """Proof of holding a task."""

    lease = serializers.UUIDField()


def _seconds(**options: Any) -> Number:
    text = "Active time since the image was taken up, paused when idle or hidden."
    return Number(min_value=0, max_value=7 * 86_400, help_text=text, **options)


class ReleaseIn(LeaseIn):
    """Given back."""

    seconds = _seconds(default=0)


class FinishIn(LeaseIn):
    """Done with, one way or the other."""

    next_kind = serializers.ChoiceField(
        choices=Task.Kind.choices,
        default=None,
        allow_null=True,
        help_text="Hand out the next task of this kind as well.",
    )


class SubmitIn(FinishIn):
    """Done."""

    seconds = _seconds()
    answer = serializers.ChoiceField(choices=Task.Answer.choices)


class SkipIn(FinishIn):
    """Not done, for a reason."""

    reason = serializers.CharField(max_length=500)
    seconds = _seconds(default=0)


class JobErrorOut(serializers.Serializer[Any]):
    """Why a job failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class JobOut(serializers.ModelSerializer[Any]):
    """One row of the ledger."""

    error = serializers.SerializerMethodField()
    result = serializers.JSONField(allow_null=True)
    created_by = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "dataset",
            "kind",
            "title",
            "queue",
            "state",
            "progress",
            "message",
            "attempts",
            "max_attempts",
            "error",
            "result",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        ]

    @extend_schema_field(JobErrorOut(allow_null=True))
    def get_error(self, row: Job) -> dict[str, str] | None:
        """Null if nothing went wrong (so far)."""
        return {"code": row.error_code, "message": row.error_message} if row.error_code else None

    def get_created_by(self, row: Job) -> str | None:
        """User name, or null for a machine."""
        return row.created_by.get_username() if row.created_by else None


class JobDetailOut(JobOut):
    """With the log."""

    class Meta(JobOut.Meta):
        fields = [*JobOut.Meta.fields, "log"]


class SignInIn(serializers.Serializer[Any]):
    """Name and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class UserOut(serializers.Serializer[Any]):
    """Who is signed in."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.CharField()


class DemoOut(serializers.Serializer[Any]):
    """The demo account of this installation, told to callers on the same machine only."""

    username = serializers.CharField()
    password = serializers.CharField()


class OidcProviderOut(serializers.Serializer[Any]):
    """The other service by which people may sign in here."""

    name = serializers.CharField()


class SessionOut(serializers.Serializer[Any]):
    """The state of sign-in."""

    user = UserOut(allow_null=True)
    demo = DemoOut(allow_null=True)
    oidc = OidcProviderOut(allow_null=True)
    free_text = serializers.BooleanField(help_text="Whether texts are understood that are no category's name.")
