"""Sign-in through an OpenID Connect provider, off unless ANYMASK_OIDC_ISSUER is set.

The protocol (state, PKCE, code for tokens) is django-allauth's; who somebody is here, annotation.services.identities
decides. Nothing else of allauth is reached: no address, no form, no template, no mail. The page asks for the provider's
address and goes there; the provider sends the person back to `callback`, which sends them on to the sign-in page, with
a sentence in a cookie if something went wrong.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import quote

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.base import AuthError, AuthProcess, ProviderException
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from requests import RequestException
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from annotation.api.session import SignInThrottle
from annotation.errors import Missing, NotAllowed, NotReady, UserError
from annotation.services import people
from annotation.services.events import event_write
from annotation.services.identities import Identity, SignedIn, identity_sign_in

logger = logging.getLogger(__name__)

SIGN_IN_PAGE = "/sign-in"
PROBLEM_COOKIE = "sign_in_problem"  # read and cleared by frontend/src/ui/SignInPage.tsx
PROBLEM_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
CLOCK_SECONDS = 60  # by which the provider's clock may be off
BROKEN = (
    *(RequestException, OAuth2Error, ProviderException, PermissionDenied, jwt.PyJWTError),
    *(KeyError, TypeError, ValueError, AttributeError),  # answers of another shape, which allauth does not expect
)
MOST_SUBJECT = 191  # characters, of allauth's SocialAccount
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth publishes no types
    """The provider of the settings, not one of allauth's tables."""

    def __init__(self, request: HttpRequest) -> None:
        app = SocialApp(
            provider=self.id,
            provider_id=settings.ANYMASK_OIDC_ISSUER,
            name=settings.ANYMASK_OIDC_NAME,
            client_id=settings.ANYMASK_OIDC_CLIENT_ID,
            secret=settings.ANYMASK_OIDC_CLIENT_SECRET,
            settings={"server_url": settings.ANYMASK_OIDC_ISSUER.rstrip("/"), "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)

    def get_oauth2_adapter(self, request: HttpRequest) -> Protocol:
        """Ours."""
        return Protocol(request)

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing that the provider says of a person is stored beside who they are."""
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """None: what an address may be used for is decided in `identity_of`."""
        return []


class Protocol(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth publishes no types
    """allauth's side of the protocol, with every check of OpenID Connect that it leaves out."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, settings.ANYMASK_OIDC_ISSUER)

    def get_provider(self) -> Provider:
        """Of the settings."""
        return Provider(self.request)

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """What the provider must know as a redirect address of this client."""
        return request.build_absolute_uri(reverse("oidc-callback"))

    @property
    def openid_config(self) -> dict[str, Any]:
        """The discovery document, fetched once a request; of this very issuer (Discovery 1.0, 4.3)."""
        config: dict[str, Any] = super().openid_config
        if config["issuer"].rstrip("/") != settings.ANYMASK_OIDC_ISSUER.rstrip("/"):
            raise OAuth2Error(f"the discovery document is of another issuer: {config['issuer']}")
        if missing := [name for name in ENDPOINTS if not isinstance(config.get(name), str)]:
            raise OAuth2Error(f"the discovery document lacks {', '.join(missing)}")
        return config

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """Used for this request alone; no token is kept."""
        return SocialToken(token=data["access_token"])

    def complete_login(self, request: HttpRequest, app: Any, token: SocialToken, **kwargs: Any) -> Any:
        """The claims of the signed ID token, with an e-mail address from userinfo if they have none."""
        claims = self._verified(kwargs["response"]["id_token"])
        if "email" not in claims and isinstance(self.openid_config.get("userinfo_endpoint"), str):
            userinfo = self._fetch_user_info(token.token)
            if userinfo["sub"] != claims["sub"]:  # Core 1.0, 5.3.2
                raise OAuth2Error("userinfo is about somebody else")
            claims = {**userinfo, **claims}
        identity = identity_of(claims)
        found = self.get_provider().sociallogin_from_response(request, {"id_token": claims})
        found.identity = identity
        return found

    def _verified(self, id_token: str) -> dict[str, Any]:
        """Core 1.0, 3.1.3.7, the signature always: allauth trusts the connection, which may go through a proxy."""
        wanted = jwt.get_unverified_header(id_token).get("kid")
        with Hooks().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
        answer.raise_for_status()
        keys = [key for key in jwt.PyJWKSet.from_dict(answer.json()).keys if wanted in (None, key.key_id)]
        if not keys:
            raise OAuth2Error("the ID token is signed with a key that the provider does not name")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            keys[0],
            algorithms=ALGORITHMS,
            audience=settings.ANYMASK_OIDC_CLIENT_ID,
            issuer=self.openid_config["issuer"],
            leeway=CLOCK_SECONDS,
            options={"require": ["iss", "aud", "exp", "iat", "sub"]},
        )
        return claims


class Hooks(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth publishes no types
    """Where allauth asks what to do next: every way leads back to the page."""

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        """Not here: annotation.services.identities makes accounts."""
        return sociallogin.user

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """The provider has said who it is."""
        state: dict[str, Any] = sociallogin.state.get("data") or {}
        found = identity_sign_in(identity=sociallogin.identity, invitation=state.get("invitation", ""))
        login(request, found.user, backend="django.contrib.auth.backends.ModelBackend")
        _tell(found)
        joined = f"/datasets/{found.member.dataset_id}" if found.member else SIGN_IN_PAGE  # which knows where to go on
        raise ImmediateHttpResponse(HttpResponseRedirect(joined))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """The person said no, the provider did, or one of its answers is not right."""
        name = settings.ANYMASK_OIDC_NAME
        if exception is not None:
            raise exception
        if "state_id" in (extra_context or {}):
            message = "This sign-in did not begin in this browser, or more than ten minutes ago. Begin again."
            raise UserError("oidc_expired", message)
        if error == AuthError.CANCELLED:
            raise NotAllowed("oidc_denied", f"You did not let {name} tell us who you are, so you are not signed in.")
        logger.warning("the provider refused", extra={"error": request.GET.get("error", "")[:100]})
        raise NotAllowed("oidc_refused", f"You were not signed in by {name}. Whoever runs it can say why.")


def identity_of(claims: dict[str, Any]) -> Identity:
    """What of a provider's claims is used. Only true (or "true", as some write it) verifies an address.

    Raises UserError `oidc_subject`.
    """

    def word(name: str) -> str:
        value = claims.get(name)
        return value if isinstance(value, str) else ""

    verified = claims.get("email_verified") is True or claims.get("email_verified") == "true"
    email = word("email").strip() if verified else ""
    try:
        validate_email(email)
    except ValidationError:
        email = ""
    subject = word("sub")
    if not subject or len(subject) > MOST_SUBJECT or "\x00" in subject:
        raise UserError("oidc_subject", f"What {settings.ANYMASK_OIDC_NAME} says of you does not tell who you are.")
    return Identity(settings.ANYMASK_OIDC_ISSUER, subject, email, word("preferred_username"), word("name"))


@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Where the provider sends people back to; always a redirect."""
    if not settings.ANYMASK_OIDC_ISSUER:
        return HttpResponseRedirect(SIGN_IN_PAGE)
    try:
        answer: HttpResponse = OAuth2CallbackView.adapter_view(Protocol(request))(request)
    except UserError as refused:
        return _back(refused)
    except BROKEN:
        logger.exception("sign-in by the provider failed")
        return _back(_unavailable())
    return answer


def _unavailable() -> NotReady:
    name = settings.ANYMASK_OIDC_NAME
    return NotReady("oidc_unavailable", f"No right answer came from {name}. Try again in a moment.")


def _back(refused: UserError) -> HttpResponse:
    """To the sign-in page, which shows the sentence once."""
    answer = HttpResponseRedirect(SIGN_IN_PAGE)
    told = quote(json.dumps({"code": refused.code, "message": refused.message}))
    answer.set_cookie(
        PROBLEM_COOKIE,
        told,
        max_age=PROBLEM_SECONDS,
        path=SIGN_IN_PAGE,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
    return answer


def _tell(found: SignedIn) -> None:
    """The audit log, which sees requests that change something by their method; this one is a GET."""
    about = {"actor": found.user, "subject": "account", "subject_id": str(found.user.pk)}
    event_write(action="session-oidc:post", details={"how": found.how}, **about)
    if found.member is not None:
        details = {"role": found.member.role}
        event_write(action="invitation:post", dataset=found.member.dataset_id, details=details, **about)


class OidcIn(serializers.Serializer[Any]):
    """How somebody begins."""

    invitation = serializers.CharField(
        required=False, max_length=200, help_text="The secret of a link: a new account joins its dataset."
    )


class OidcOut(serializers.Serializer[Any]):
    """Where to go."""

    url = serializers.CharField(help_text="The provider's page, for this browser and the next ten minutes.")


class OidcView(APIView):
    """The way to the provider."""

    permission_classes = [AllowAny]

    def get_throttles(self) -> list[BaseThrottle]:
        """As attempts to sign in."""
        return [SignInThrottle()]

    @extend_schema(operation_id="session_oidc", request=OidcIn, responses=OidcOut, auth=[])
    def post(self, request: Request) -> Response:
        """Begin. 404 `oidc_off` where none is set up, `invitation_closed`; 503 `oidc_unavailable`."""
        SessionAuthentication().enforce_csrf(request)
        if not settings.ANYMASK_OIDC_ISSUER:
            raise Missing("oidc_off", "This installation has no sign-in by another service.")
        data = OidcIn(data=request.data)
        data.is_valid(raise_exception=True)
        # The digest is kept in the session, not the secret: whoever reads the database cannot use it.
        secret = data.validated_data.get("invitation", "")
        digest = people.digest_of(secret) if secret else ""
        if digest:
            people.invitation_open(digest=digest)
        plain = request._request
        try:
            answer = Provider(plain).redirect(plain, process=AuthProcess.LOGIN, data={"invitation": digest})
        except BROKEN:
            logger.exception("the provider of sign-in does not answer")
            raise _unavailable() from None
        return Response({"url": answer.url})
