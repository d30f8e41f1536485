"""Routes of the engine: embeddings and decoders for the browser, the loop for its page."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import NOTHING, Role, dataset_for, image_for, memberships
from annotation.api.files import stored_file
from annotation.api.http import CursorPages
from annotation.errors import Missing
from annotation.models import Image
from engine import embeddings
from engine.models import Embedding, Evaluation, ModelVersion, TrainingRun
from engine.promotion import version_named, version_restore, versions_of
from engine.retraining import loop_state, run_start
from engine.serializers import EmbeddingOut, LoopOut, TrainingRunOut, loop_out
from engine.serving import decoder_parts, serving_version, serving_versions, version_by_digest
from engine.version_shapes import ModelVersionOut, version_context
from modelzoo.embedding import STORED

# --- Embeddings and decoders -------------------------------------------------------------------------------------


class ImageEmbeddingView(APIView):
    """The embedding of one image."""

    @extend_schema(
        operation_id="image_embedding",
        parameters=[
            OpenApiParameter(
                "model",
                str,
                description="Digest of a version to stay with; default: the one that serves the dataset.",
            )
        ],
        responses=EmbeddingOut,
    )
    def get(self, request: Request, image_id: int) -> Response:
        """Where the image stands. Asking for one that is not prepared yet has it prepared at once."""
        image = image_for(request.user, image_id)
        state = embeddings.readiness(image, self._version(request, image))
        if state.state == "absent":
            embeddings.embedding_request(image=image, version=state.version)
            state = embeddings.readiness(image, state.version)
        return Response(embedding_out(image, state))

    @extend_schema(operation_id="image_embedding_retry", request=None, responses=EmbeddingOut)
    def post(self, request: Request, image_id: int) -> Response:
        """Prepare the image again after a failure."""
        image = image_for(request.user, image_id, Role.ANNOTATOR)
        version = self._version(request, image)
        embeddings.embedding_request(image=image, version=version)
        return Response(embedding_out(image, embeddings.readiness(image, version)))

    def _version(self, request: Request, image: Image) -> ModelVersion:
        """Work in progress keeps the version it started with by naming it."""
        digest = request.query_params.get("model", "")
        if not digest:
            return serving_version(image.dataset_id)
        return version_named(image.dataset_id, digest)


def embedding_out(image: Image, state: embeddings.Readiness) -> dict[str, Any]:
    """One answer for the editor: what to load, or what it is waiting for."""
    row, job = state.embedding, state.job
    message = {"ready": "", "failed": job.error_message if job else "", "absent": "", "pending": ""}[state.state]
    if state.state == "pending":
        message = (
            "Waiting for a worker." if job is not None and job.state == "queued" else "The model looks at the image."
        )
    return {
        "state": state.state if state.state != "absent" else "pending",
        "message": message,
        "url": reverse("embedding-file", args=[image.pixels_sha256, state.version.digest]) if row else None,
        "model": state.version.digest,
        "layout": row.layout if row else [],
        "frame": row.frame if row else None,
        "decoder_url": reverse("decoder-file", args=[state.version.digest]),
        "job": str(job.pk) if job else None,
    }


class EmbeddingFileView(APIView):
    """An embedding file by what it is made of."""

    @extend_schema(operation_id="embedding_file", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_sha256: str, digest: str) -> HttpResponseBase:
        """float16, little-endian. X-Embedding-Layout says the tensors' names and shapes as JSON."""
        user: Any = request.user
        mine = memberships(user).values("dataset")
        rows = Embedding.objects.filter(version__digest=digest, image__dataset__in=mine).order_by("id")
        # Pictures as they were sent are found by an index; only those changed since are searched by their files.
        row = rows.filter(image__sha256=image_sha256, image__revision=0).first()
        row = row or rows.filter(image__revision__gt=0, path__endswith=f"/{image_sha256}.f16").first()
        if row is None:
            raise Missing("not_found", NOTHING)
        tag = f"{image_sha256[:32]}-{digest[:32]}"
        answer = stored_file(request, row.path, media_type="application/octet-stream", tag=tag, since=row.created_at)
        answer.headers["X-Embedding-Layout"] = json.dumps(row.layout)
        return answer


class EmbeddingMapView(APIView):
    """One map of an embedding, for programs."""

    @extend_schema(operation_id="embedding_map", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: int, tensor: str) -> HttpResponse:
        """A NumPy file (`numpy.load`): float16, channels x rows x columns over the padded picture.

        By the version that serves; names and shapes are in `layout` of the image's embedding, where the picture lies in
        `frame`. 404 no_map for another name, 503 embedding_pending until the model has looked at the picture.
        """
        image = image_for(request.user, image_id)
        state = embeddings.readiness(image)
        if state.embedding is None:
            raise embeddings.being_prepared(image, state.version)
        maps = embeddings.stored_maps(state.embedding).tensors
        if tensor not in maps:
            raise Missing("no_map", f"This embedding has no map {tensor[:40]!r}. Maps: {', '.join(maps)}.")
        file = io.BytesIO()
        np.save(file, maps[tensor].astype(STORED), allow_pickle=False)
        answer = HttpResponse(file.getvalue(), content_type="application/octet-stream")
        answer.headers["Content-Disposition"] = f'attachment; filename="{image.pk}-{tensor}.npy"'
        return answer


class DecoderFileView(APIView):
    """The decoder of a version as ONNX."""

    @extend_schema(operation_id="decoder_file", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, digest: str) -> HttpResponseBase:
        """Shared versions are for everybody who is signed in, a dataset's own for its members.

        X-Decoder-Parts names the parts that are served below this address; without it there are none.
        """
        version = _decoding_version(request, digest)
        tag = f"decoder-{digest[:32]}"
        answer = stored_file(request, version.decoder_path, media_type="application/octet-stream", tag=tag)
        if parts := decoder_parts(version):
            answer.headers["X-Decoder-Parts"] = ", ".join(parts)
        return answer


class DecoderPartView(APIView):
    """One part of a version's decoder, as a browser takes it: a graph or weights."""

    @extend_schema(operation_id="decoder_part", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, digest: str, part: str) -> HttpResponseBase:
        """For whom the whole decoder is. 404 where a decoder has no parts."""
        path = decoder_parts(_decoding_version(request, digest)).get(part)
        if path is None:
            raise Missing("no_part", "This model's decoder has no such part.")
        return stored_file(request, path, media_type="application/octet-stream", tag=f"{part}-{digest[:32]}")


def _decoding_version(request: Request, digest: str) -> ModelVersion:
    """The version, if it is shared or of a dataset of the user's; else Missing."""
    version = version_by_digest(digest)
    if version.dataset_id is not None and not _reaches(request.user, version):
        raise Missing("unknown_model", "There is no model with this digest.")
    return version


def _reaches(user: Any, version: ModelVersion) -> bool:
    """Whether the user is a member of a dataset that this version was trained on."""
    own = ModelVersion.objects.filter(pk=version.pk)
    mine = memberships(user).values("dataset")
    return own.filter(Q(dataset__in=mine) | Q(runs_to__dataset__in=mine)).exists()


# --- The loop ----------------------------------------------------------------------------------------------------


class LoopView(APIView):
    """Today's values of the loop."""

    @extend_schema(operation_id="loop", responses=LoopOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """Counts, what serves, what runs, and why no run could start if so."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(loop_out(dataset, loop_state(dataset)))


class RunPages(CursorPages):
    """Newest first."""

    ordering = "-id"
    page_size = 20


def runs() -> QuerySet[TrainingRun]:
    """Runs with everything their JSON needs."""
    related = ("dataset", "job", "snapshot", "base", "candidate")
    # The rows of an evaluation are as many as the masks it was measured on; no page shows them.
    evaluations = Evaluation.objects.select_related("version").defer("rows")
    runs = TrainingRun.objects.select_related(*related)
    return runs.prefetch_related(Prefetch("evaluations", queryset=evaluations), "decisions", "detectors__version")


class TrainingRunsView(ListAPIView[Any]):
    """The runs of a dataset."""

    serializer_class = TrainingRunOut
    pagination_class = RunPages
    queryset = TrainingRun.objects.none()

    def get_queryset(self) -> QuerySet[TrainingRun]:
        """For members only."""
        dataset = dataset_for(self.request.user, self.kwargs["dataset_id"])
        return runs().filter(dataset=dataset)

    @extend_schema(operation_id="training_runs")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="training_run_start", request=None, responses={201: TrainingRunOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Start one. 409 training_open while another is under way, 400 not_enough_masks with the reasons."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        run = run_start(dataset=dataset, trigger=TrainingRun.Trigger.PERSON, by=request.user)
        return Response(TrainingRunOut(runs().get(pk=run.pk)).data, status=201)


class TrainingRunView(APIView):
    """One run."""

    @extend_schema(operation_id="training_run", responses=TrainingRunOut)
    def get(self, request: Request, run_id: int) -> Response:
        """With its curve, evaluations and decision."""
        user: Any = request.user
        run = runs().filter(pk=run_id, dataset__in=memberships(user).values("dataset")).first()
        if run is None:
            raise Missing("not_found", NOTHING)
        return Response(TrainingRunOut(run).data)


class ModelsView(APIView):
    """The versions a dataset may serve."""

    @extend_schema(operation_id="models", responses=ModelVersionOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """Newest first; the shared base versions and what was trained on this dataset."""
        dataset = dataset_for(request.user, dataset_id)
        serving = serving_versions([dataset.pk]).get(dataset.pk)
        rows = versions_of(dataset.pk).select_related("parent")
        return Response(ModelVersionOut(rows, many=True, context=version_context(dataset.pk, serving)).data)


class ModelRestoreView(APIView):
    """Put a version into service."""

    @extend_schema(operation_id="model_restore", request=None, responses=ModelVersionOut)
    def post(self, request: Request, dataset_id: int, digest: str) -> Response:
        """By a lead's word, whatever the gate said. 409 if the serving version changed meanwhile."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        promotion = version_restore(dataset_id=dataset.pk, digest=digest, by=request.user)
        version = ModelVersion.objects.select_related("parent").get(pk=promotion.to_version_id)
        return Response(ModelVersionOut(version, context=version_context(dataset.pk, version)).data)
