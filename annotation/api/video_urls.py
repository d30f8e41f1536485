"""Routes of videos: frames and tracks."""

from django.urls import path

from annotation.api import converters, videos  # noqa: F401  <row:...>

urlpatterns = [
    path("datasets/<row:dataset_id>/videos/", videos.VideosView.as_view(), name="videos"),
    path("videos/<row:video_id>/", videos.VideoView.as_view(), name="video"),
    path("videos/<row:video_id>/frames/", videos.FramesView.as_view(), name="video-frames"),
    path("videos/<row:video_id>/tracks/", videos.TracksView.as_view(), name="video-tracks"),
    path("tracks/<uuid:track_id>/", videos.TrackView.as_view(), name="track"),
    path("tracks/<uuid:track_id>/masks/<uuid:mask_id>/", videos.TrackMaskView.as_view(), name="track-mask"),
]
