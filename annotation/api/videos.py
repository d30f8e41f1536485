"""Videos, their frames, and the tracks of things that are followed through them."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import selectors
from annotation.access import NOTHING, Role, dataset_for, mask_for, track_for, video_for
from annotation.api.masks import conflicts_with_both_versions
from annotation.api.serializers import MaskOut
from annotation.api.serializers.videos import FramesOut, TrackChangeIn, TrackIn, TrackOut, TracksOut, VideoOut
from annotation.errors import Missing
from annotation.models import Track, Video
from annotation.services import tracks, videos

MAX_FRAMES = 500  # of one page
MAX_NUMBER = 2**31 - 1


class VideosView(generics.ListAPIView[Any]):
    """Videos of a dataset."""

    serializer_class = VideoOut
    queryset = Video.objects.none()

    def get_queryset(self) -> Any:
        """Those of one dataset."""
        return selectors.with_frames(dataset_for(self.request.user, self.kwargs["dataset_id"]).videos.all())

    @extend_schema(operation_id="videos_list", responses={200: VideoOut(many=True)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """In order of arrival."""
        return super().get(request, *args, **kwargs)


class VideoView(APIView):
    """One video."""

    @extend_schema(operation_id="videos_get", responses=VideoOut)
    def get(self, request: Request, video_id: int) -> Response:
        """The video, and how many of its frames are there."""
        video = video_for(request.user, video_id)
        row = selectors.with_frames(Video.objects.filter(pk=video.pk)).first()
        if row is None:
            raise Missing("not_found", NOTHING)
        return Response(VideoOut(row).data)

    @extend_schema(operation_id="videos_delete", responses={204: None})
    def delete(self, request: Request, video_id: int) -> Response:
        """Remove the video with its frames, their masks and files. Leads only."""
        videos.video_delete(video=video_for(request.user, video_id, Role.LEAD))
        return Response(status=status.HTTP_204_NO_CONTENT)


class FramesView(APIView):
    """Frames of a video."""

    @extend_schema(
        operation_id="videos_frames",
        responses=FramesOut,
        parameters=[
            OpenApiParameter("from", int, description="Number of the first frame of the page; 0 without it."),
            OpenApiParameter("limit", int, description=f"At most {MAX_FRAMES}, which is what comes without it."),
        ],
    )
    def get(self, request: Request, video_id: int) -> Response:
        """In their order, from a number on."""
        video = video_for(request.user, video_id)
        limit = min(_number(request, "limit", MAX_FRAMES), MAX_FRAMES)
        rows = selectors.frames_of(video, _number(request, "from", 0), limit + 1)
        following = rows[limit].frame_number if len(rows) > limit else None
        # Of the video as it was before the frames were read: who is told that all are there has them.
        page = {"frames": rows[:limit], "next": following, "complete": video.complete}
        return Response(FramesOut(page).data)


class TracksView(APIView):
    """Tracks of a video."""

    @extend_schema(operation_id="tracks_list", responses=TracksOut)
    def get(self, request: Request, video_id: int) -> Response:
        """Every track with its current masks, without their pixels."""
        video = video_for(request.user, video_id)
        return Response(TracksOut({"tracks": selectors.tracks_of(video.tracks.all())}).data)

    @extend_schema(operation_id="tracks_begin", request=TrackIn, responses={200: TrackOut, 201: TrackOut})
    def post(self, request: Request, video_id: int) -> Response:
        """A new track that begins with a mask: 201, or 200 for the same mask again.

        409 `mask_tracked` if the mask belongs to another track, whose id is in the details. Annotators, reviewers and
        leads.
        """
        video = video_for(request.user, video_id, Role.ANNOTATOR)
        data = TrackIn(data=request.data)
        data.is_valid(raise_exception=True)
        mask = mask_for(request.user, data.validated_data["mask"], Role.ANNOTATOR)
        with conflicts_with_both_versions():
            track, created = tracks.track_begin(video=video, mask=mask, user=request.user)
        return Response(_track_out(track), status=status.HTTP_201_CREATED if created else status.HTTP_200_OK)


class TrackView(APIView):
    """One track."""

    @extend_schema(operation_id="tracks_get", responses=TrackOut)
    def get(self, request: Request, track_id: uuid.UUID) -> Response:
        """The track with its current masks, without their pixels."""
        return Response(_track_out(track_for(request.user, track_id)))

    @extend_schema(operation_id="tracks_change", request=TrackChangeIn, responses=TrackOut)
    def patch(self, request: Request, track_id: uuid.UUID) -> Response:
        """Say what is followed; its current masks take the category too. Annotators, reviewers and leads."""
        track = track_for(request.user, track_id, Role.ANNOTATOR)
        data = TrackChangeIn(data=request.data)
        data.is_valid(raise_exception=True)
        tracks.track_update(track=track, category=data.validated_data["category"], user=request.user)
        return Response(_track_out(track))

    @extend_schema(
        operation_id="tracks_end",
        responses={204: None},
        parameters=[
            OpenApiParameter(
                "proposed", bool, description="false: its proposed masks stay too; else they go into the bin."
            )
        ],
    )
    def delete(self, request: Request, track_id: uuid.UUID) -> Response:
        """End the track; its accepted masks stay, as masks of their frames. Annotators, reviewers and leads."""
        track = track_for(request.user, track_id, Role.ANNOTATOR)
        told = request.query_params.get("proposed", "true")
        if told not in ("true", "false"):
            raise ParseError("proposed must be true or false.")
        tracks.track_delete(track=track, user=request.user, proposed=told == "true")
        return Response(status=status.HTTP_204_NO_CONTENT)


class TrackMaskView(APIView):
    """Which masks a track has."""

    @extend_schema(operation_id="tracks_put_mask", request=None, responses=MaskOut)
    def put(self, request: Request, track_id: uuid.UUID, mask_id: uuid.UUID) -> Response:
        """Put a mask to the track; 409 `frame_taken` with the mask that it has there. Annotators, reviewers, leads."""
        track = track_for(request.user, track_id, Role.ANNOTATOR)
        mask = mask_for(request.user, mask_id, Role.ANNOTATOR)
        with conflicts_with_both_versions():
            tracks.track_mask_put(track=track, mask=mask, user=request.user)
        return Response(MaskOut(mask_for(request.user, mask_id)).data)

    @extend_schema(operation_id="tracks_remove_mask", responses={204: None})
    def delete(self, request: Request, track_id: uuid.UUID, mask_id: uuid.UUID) -> Response:
        """Take a mask out of the track; it stays as a mask of its frame. Annotators, reviewers and leads."""
        track = track_for(request.user, track_id, Role.ANNOTATOR)
        mask = mask_for(request.user, mask_id, Role.ANNOTATOR)
        tracks.track_mask_remove(track=track, mask=mask, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _track_out(track: Track) -> dict[str, Any]:
    found = selectors.tracks_of(Track.objects.filter(pk=track.pk))
    if not found:
        raise Missing("not_found", NOTHING)
    return dict(TrackOut(found[0]).data)


def _number(request: Request, name: str, default: int) -> int:
    """A whole number of a query. Raises ParseError."""
    told = request.query_params.get(name, "")
    if not told:
        return default
    if not told.isascii() or not told.isdigit() or len(told) > 10 or int(told) > MAX_NUMBER:
        raise ParseError(f"{name} must be a whole number.")
    return int(told)
