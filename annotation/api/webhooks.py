"""Webhooks of a dataset and what became of their messages. Leads only."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.errors import Missing
from annotation.models import Delivery, Webhook
from annotation.services import webhooks

SHOWN = 30


class WebhookOut(serializers.ModelSerializer[Any]):
    """One webhook, without its secret."""

    events = serializers.ListField(child=serializers.ChoiceField(choices=webhooks.EVENTS))
    waiting = serializers.SerializerMethodField(help_text="Messages that are not delivered yet.")

    class Meta:
        model = Webhook
        fields = ["id", "url", "events", "active", "failures", "retry_at", "problem", "waiting", "created_at"]

    def get_waiting(self, row: Webhook) -> int:
        """Counted now."""
        return row.deliveries.filter(delivered_at=None).count()


class WebhookMadeOut(WebhookOut):
    """With the secret, this once; null where it is not a new one."""

    secret = serializers.CharField(allow_null=True, help_text="Signs every message. It is not shown again.")

    class Meta(WebhookOut.Meta):
        fields = [*WebhookOut.Meta.fields, "secret"]


class WebhookIn(serializers.Serializer[Any]):
    """Where to, and what is told."""

    url = serializers.CharField(max_length=2000)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=webhooks.EVENTS), allow_empty=False, default=list(webhooks.EVENTS)
    )


class WebhookChangeIn(serializers.Serializer[Any]):
    """What is to change."""

    url = serializers.CharField(max_length=2000, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=webhooks.EVENTS), allow_empty=False, required=False
    )
    active = serializers.BooleanField(required=False)
    new_secret = serializers.BooleanField(required=False)


class DeliveryOut(serializers.ModelSerializer[Any]):
    """One message and what became of it."""

    class Meta:
        model = Delivery
        fields = ["id", "event", "attempts", "status_code", "problem", "created_at", "tried_at", "delivered_at"]


def _webhook(request: Request, dataset_id: int, webhook_id: int) -> Webhook:
    row = dataset_for(request.user, dataset_id, Role.LEAD).webhooks.filter(pk=webhook_id).first()
    if row is None:
        raise Missing("not_found", "There is no such webhook.")
    return row


class WebhooksView(APIView):
    """All of a dataset."""

    @extend_schema(operation_id="webhooks", responses=WebhookOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """In the order they were made. Leads only."""
        return Response(WebhookOut(dataset_for(request.user, dataset_id, Role.LEAD).webhooks.all(), many=True).data)

    @extend_schema(operation_id="webhooks_create", request=WebhookIn, responses={201: WebhookMadeOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Make one; its secret is told this once. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = WebhookIn(data=request.data)
        data.is_valid(raise_exception=True)
        row = webhooks.webhook_create(dataset=dataset, user=request.user, **data.validated_data)
        return Response(WebhookMadeOut(row).data, status=status.HTTP_201_CREATED)


class WebhookView(APIView):
    """One of them."""

    @extend_schema(operation_id="webhooks_change", request=WebhookChangeIn, responses=WebhookMadeOut)
    def patch(self, request: Request, dataset_id: int, webhook_id: int) -> Response:
        """Another address, other events, another secret; off and on, which tries again at once. Leads only."""
        webhook = _webhook(request, dataset_id, webhook_id)
        data = WebhookChangeIn(data=request.data)
        data.is_valid(raise_exception=True)
        row = webhooks.webhook_update(webhook=webhook, **data.validated_data)
        told = dict(WebhookMadeOut(row).data)
        return Response(told if data.validated_data.get("new_secret") else {**told, "secret": None})

    @extend_schema(operation_id="webhooks_delete", responses={204: None})
    def delete(self, request: Request, dataset_id: int, webhook_id: int) -> Response:
        """It is told nothing more, and what waits is forgotten. Leads only."""
        _webhook(request, dataset_id, webhook_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeliveriesView(APIView):
    """Messages of one webhook."""

    @extend_schema(operation_id="webhook_deliveries", responses=DeliveryOut(many=True))
    def get(self, request: Request, dataset_id: int, webhook_id: int) -> Response:
        """The newest thirty. Leads only."""
        return Response(DeliveryOut(_webhook(request, dataset_id, webhook_id).deliveries.all()[:SHOWN], many=True).data)

    @extend_schema(operation_id="webhook_test", request=None, responses={202: DeliveryOut})
    def post(self, request: Request, dataset_id: int, webhook_id: int) -> Response:
        """Send a message of the type `test`. Leads only."""
        row = webhooks.webhook_test(webhook=_webhook(request, dataset_id, webhook_id))
        return Response(DeliveryOut(row).data, status=status.HTTP_202_ACCEPTED)
