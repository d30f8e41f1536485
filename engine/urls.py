"""Routes of the engine, below /api/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, register_converter

from engine import api


class Digest:
    """A SHA-256 in hex."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(Digest, "digest")

urlpatterns: list[URLPattern | URLResolver] = [
    path("images/<int:image_id>/embedding/", api.ImageEmbeddingView.as_view(), name="image-embedding"),
    path("embeddings/<digest:image_sha256>/<digest:digest>/", api.EmbeddingFileView.as_view(), name="embedding-file"),
    path("models/<digest:digest>/decoder/", api.DecoderFileView.as_view(), name="decoder-file"),
    path("datasets/<int:dataset_id>/loop/", api.LoopView.as_view(), name="loop"),
    path("datasets/<int:dataset_id>/training-runs/", api.TrainingRunsView.as_view(), name="training-runs"),
    path("training-runs/<int:run_id>/", api.TrainingRunView.as_view(), name="training-run"),
    path("datasets/<int:dataset_id>/models/", api.ModelsView.as_view(), name="models"),
    path(
        "datasets/<int:dataset_id>/models/<digest:digest>/restore/",
        api.ModelRestoreView.as_view(),
        name="model-restore",
    ),
]
