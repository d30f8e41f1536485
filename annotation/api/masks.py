"""Masks: saved once under the client's id, corrected by a successor, deleted and restored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import selectors
from annotation.access import Role, image_for, mask_for
from annotation.api.serializers import MaskIn, MaskOut
from annotation.errors import Conflict, Missing
from annotation.models import Mask
from annotation.services import masks


class MaskView(APIView):
    """One mask under the id that its client made."""

    @extend_schema(operation_id="masks_get", responses={200: MaskOut})
    def get(self, request: Request, mask_id: uuid.UUID) -> Response:
        """The mask, whatever its status."""
        return Response(MaskOut(shown_mask(request.user, mask_id)).data)

    @extend_schema(operation_id="masks_save", request=MaskIn, responses={200: MaskOut, 201: MaskOut})
    def put(self, request: Request, mask_id: uuid.UUID) -> Response:
        """Save an accepted mask: 201, or 200 for the same request again.

        400 `not_a_proposal` for `proposed` where the parent was made of no mask of the machine with these pixels.
        409 `mask_conflict` if another mask has this id; with the current mask as details 409 `mask_superseded` if the
        parent was corrected meanwhile, 409 `frame_taken` if its track has another mask on the frame. Annotators,
        reviewers and leads.
        """
        data = MaskIn(data=request.data)
        data.is_valid(raise_exception=True)
        body = data.validated_data
        image = image_for(request.user, body.pop("image"), Role.ANNOTATOR)
        with conflicts_with_both_versions():
            mask, created = masks.mask_save(image=image, mask_uuid=mask_id, user=request.user, body=body)
        code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
        return Response(MaskOut(mask).data, status=code)

    @extend_schema(operation_id="masks_delete", responses={204: None})
    def delete(self, request: Request, mask_id: uuid.UUID) -> Response:
        """Put the mask into the bin; it can be restored. Annotators, reviewers and leads.

        409 `mask_superseded` if it was corrected meanwhile, with the current mask as details.
        """
        mask = mask_for(request.user, mask_id, Role.ANNOTATOR)
        with conflicts_with_both_versions():
            masks.mask_delete(mask=mask, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MaskRestoreView(APIView):
    """Out of the bin."""

    @extend_schema(operation_id="masks_restore", request=None, responses={200: MaskOut})
    def post(self, request: Request, mask_id: uuid.UUID) -> Response:
        """Undo a deletion; 409 `frame_taken` if its track has another mask here by now. Annotators and above."""
        mask = mask_for(request.user, mask_id, Role.ANNOTATOR)
        with conflicts_with_both_versions():
            masks.mask_restore(mask=mask, user=request.user)
        return Response(MaskOut(mask_for(request.user, mask_id)).data)


class MaskHistoryView(APIView):
    """All versions of one object."""

    @extend_schema(operation_id="masks_history", responses={200: MaskOut(many=True)})
    def get(self, request: Request, mask_id: uuid.UUID) -> Response:
        """From the first version to the newest."""
        versions = masks.mask_history(mask=shown_mask(request.user, mask_id))
        return Response(MaskOut(versions, many=True).data)


@contextmanager
def conflicts_with_both_versions() -> Iterator[None]:
    """Both versions are needed to decide: the whole current mask goes with a refusal."""
    try:
        yield
    except Conflict as conflict:
        current = conflict.details.get("current")
        if isinstance(current, str):
            row = Mask.objects.select_related("parent", "created_by", "track").filter(uuid=current).first()
            conflict.details["current"] = dict(MaskOut(row).data) if row else None
        raise


def shown_mask(user: Any, mask_id: uuid.UUID) -> Mask:
    """A mask that is for this person's eyes: not the true one of a picture that they mask for a comparison. Missing."""
    mask = mask_for(user, mask_id)
    if mask.created_by_id != user.pk and selectors.task_begun(mask.image, user) is not None:
        raise Missing("not_found", "There is no such mask, or it is not for you to see yet.")
    return mask
