"""Routes of the engine, below /api/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from annotation.api import converters  # noqa: F401  <row:...> and <digest:...>
from engine import (
    api,
    api_audit,
    api_exemplars,
    api_proof,
    api_propagation,
    api_provenance,
    api_retraining,
    api_shadow,
    api_side_by_side,
    api_similarity,
    api_stages,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("images/<row:image_id>/embedding/", api.ImageEmbeddingView.as_view(), name="image-embedding"),
    path("images/<row:image_id>/embedding/<slug:tensor>.npy", api.EmbeddingMapView.as_view(), name="embedding-map"),
    path("embeddings/<digest:image_sha256>/<digest:digest>/", api.EmbeddingFileView.as_view(), name="embedding-file"),
    path("models/<digest:digest>/decoder/", api.DecoderFileView.as_view(), name="decoder-file"),
    path("models/<digest:digest>/decoder/<slug:part>/", api.DecoderPartView.as_view(), name="decoder-part"),
    path("datasets/<row:dataset_id>/loop/", api.LoopView.as_view(), name="loop"),
    path("datasets/<row:dataset_id>/retraining/", api_retraining.RetrainingView.as_view(), name="retraining"),
    path("datasets/<row:dataset_id>/training-runs/", api.TrainingRunsView.as_view(), name="training-runs"),
    path("training-runs/<row:run_id>/", api.TrainingRunView.as_view(), name="training-run"),
    path("datasets/<row:dataset_id>/models/", api.ModelsView.as_view(), name="models"),
    path(
        "datasets/<row:dataset_id>/models/<digest:digest>/restore/",
        api.ModelRestoreView.as_view(),
        name="model-restore",
    ),
    path(
        "datasets/<row:dataset_id>/models/<digest:digest>/shadow/",
        api_shadow.ShadowStartView.as_view(),
        name="shadow-start",
    ),
    path("datasets/<row:dataset_id>/shadows/", api_shadow.ShadowsView.as_view(), name="shadows"),
    path("datasets/<row:dataset_id>/comparisons/", api_side_by_side.ComparisonsView.as_view(), name="comparisons"),
    path(
        "datasets/<row:dataset_id>/comparisons/<row:comparison_id>/",
        api_side_by_side.ComparisonView.as_view(),
        name="comparison",
    ),
    path("datasets/<row:dataset_id>/mask-index/", api_similarity.MaskIndexView.as_view(), name="mask-index"),
    path("datasets/<row:dataset_id>/unusual/", api_similarity.UnusualView.as_view(), name="unusual"),
    path("masks/<uuid:mask_id>/similar/", api_similarity.SimilarView.as_view(), name="mask-similar"),
    path("tracks/<uuid:track_id>/propagate/", api_propagation.TrackPropagateView.as_view(), name="track-propagate"),
    path("images/<row:image_id>/alike/", api_exemplars.ImageAlikeView.as_view(), name="image-alike"),
    path("datasets/<row:dataset_id>/alike/", api_exemplars.DatasetAlikeView.as_view(), name="dataset-alike"),
    path("datasets/<row:dataset_id>/proof/", api_proof.ProofView.as_view(), name="proof"),
    path("datasets/<row:dataset_id>/audits/", api_audit.AuditsView.as_view(), name="audits"),
    path(
        "datasets/<row:dataset_id>/audits/<row:audit_id>/close/",
        api_audit.AuditCloseView.as_view(),
        name="audit-close",
    ),
    path(
        "datasets/<row:dataset_id>/models/<digest:digest>/provenance/",
        api_provenance.ModelProvenanceView.as_view(),
        name="model-provenance",
    ),
    path(
        "datasets/<row:dataset_id>/snapshots/<digest:digest>/images/",
        api_provenance.SnapshotImagesView.as_view(),
        name="snapshot-images",
    ),
    path("masks/<uuid:mask_id>/provenance/", api_provenance.MaskProvenanceView.as_view(), name="mask-provenance"),
    path("images/<row:image_id>/provenance/", api_provenance.ImageProvenanceView.as_view(), name="image-provenance"),
    path("datasets/<row:dataset_id>/stages/", api_stages.StagesView.as_view(), name="stages"),
    path("datasets/<row:dataset_id>/stages/move/", api_stages.StageMoveView.as_view(), name="stage-move"),
    path("datasets/<row:dataset_id>/stages/<slug:stage>/", api_stages.StageRuleView.as_view(), name="stage-rule"),
]
