"""Following a track through its video by the model: asked for here, done by a job."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, image_for, track_for
from annotation.api.serializers import JobOut
from engine.propagation import MOST_FRAMES, STEPS, propagation_request


class PropagateIn(serializers.Serializer[Any]):
    """Where to start, which way, and how far."""

    image = serializers.IntegerField(min_value=1, help_text="The frame whose mask of the track is followed.")
    direction = serializers.ChoiceField(choices=list(STEPS), default="forward")
    frames = serializers.IntegerField(
        min_value=1,
        max_value=MOST_FRAMES,
        allow_null=True,
        default=None,
        help_text=f"How many, each way; null: to the end, {MOST_FRAMES} at the most.",
    )


class TrackPropagateView(APIView):
    """The model follows a track."""

    @extend_schema(operation_id="track_propagate", request=PropagateIn, responses={202: JobOut})
    def post(self, request: Request, track_id: uuid.UUID) -> Response:
        """Propose masks on the frames before or after one. Annotators and above.

        The job (kind `propagate_track`) stops before a frame that has an accepted mask of the track, and replaces
        proposed ones. Its result: {frames, masks, absent: frame numbers without the thing, stopped_at: frame numbers
        before which it stopped, model}. Cancel it to stop; what is done stays. 400 other_video, 404, 409 no_mask_here,
        409 propagation_open, 503 no_model.
        """
        track = track_for(request.user, track_id, Role.ANNOTATOR)
        data = PropagateIn(data=request.data)
        data.is_valid(raise_exception=True)
        asked = data.validated_data
        job = propagation_request(
            track=track,
            image=image_for(request.user, asked["image"]),
            direction=asked["direction"],
            frames=asked["frames"],
            by=request.user,
        )
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)
