"""Sign-in by session cookie; scripts use `Authorization: Token ...` instead (annotation.api.tokens)."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from annotation import demo
from annotation.api.serializers import SessionOut, SignInIn
from annotation.errors import UserError
from annotation.services.events import event_write

LOOPBACK = ("127.0.0.1", "::1")


class SignInThrottle(SimpleRateThrottle):
    """So many attempts per caller and minute."""

    scope = "sign_in"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """By address."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's own form, with the same limit on attempts."""
    throttle: Any = SignInThrottle()
    if request.method == "POST" and not throttle.allow_request(request, view=None):
        wait = math.ceil(throttle.wait() or 1)
        return HttpResponse("Too many attempts to sign in. Wait a moment.", status=429, headers={"Retry-After": wait})
    answer: HttpResponse = admin.site.login(request)
    if request.method == "POST" and request.user.is_authenticated:
        person, how = request.user, {"how": "admin"}
        event_write(actor=person, action="session:post", subject="account", subject_id=str(person.pk), details=how)
    return answer


class SessionView(APIView):
    """Who is signed in."""

    permission_classes = [AllowAny]

    def get_throttles(self) -> list[BaseThrottle]:
        """Only attempts to sign in are counted."""
        return [SignInThrottle()] if self.request.method == "POST" else []

    @extend_schema(operation_id="session_get", responses={200: SessionOut}, auth=[])
    def get(self, request: Request) -> Response:
        """The state of sign-in; sets the CSRF cookie."""
        get_token(request._request)
        return Response(_session(request))

    @extend_schema(operation_id="session_create", request=SignInIn, responses={200: SessionOut}, auth=[])
    def post(self, request: Request) -> Response:
        """Sign in. 400 `sign_in_failed` does not say whether name or password is wrong."""
        SessionAuthentication().enforce_csrf(request)  # also without a session: no site may sign a visitor in
        data = SignInIn(data=request.data)
        data.is_valid(raise_exception=True)
        user = authenticate(request._request, **data.validated_data)
        if user is None:
            raise UserError("sign_in_failed", "User name or password is wrong.")
        login(request._request, user)
        request.user = user
        return Response(_session(request))

    @extend_schema(operation_id="session_delete", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out."""
        logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _session(request: Request) -> dict[str, Any]:
    user = request.user
    signed_in = None
    if user.is_authenticated:
        signed_in = {"id": user.pk, "username": user.get_username(), "name": user.get_full_name()}
    oidc = {"name": settings.ANYMASK_OIDC_NAME} if settings.ANYMASK_OIDC_ISSUER else None
    free_text = bool(settings.ANYMASK_TEXT_ENCODER)
    return {"user": signed_in, "demo": _demo(request), "oidc": oidc, "free_text": free_text}


def _demo(request: Request) -> dict[str, str] | None:
    """Shown to people on this very machine only; behind a proxy everybody looks like that, so then never."""
    direct = "HTTP_X_FORWARDED_FOR" not in request.META and "HTTP_FORWARDED" not in request.META
    if direct and request.META.get("REMOTE_ADDR") in LOOPBACK:
        return demo.account()
    return None
