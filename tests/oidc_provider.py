"""A small OpenID Connect provider on this machine: discovery, authorize, token (code with PKCE), keys, userinfo.

It asks nobody anything: whoever comes to `authorize` is the person of `claims`, or is sent back with `error`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "anymask", "a secret of the client"


class Provider:
    """`claims`: of the person who signs in; `userinfo`: what only userinfo tells; `override`: of the ID token."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.signing_key: Any = self.key
        self.claims: dict[str, Any] = {"sub": "s-1", "email": "nina@example.org", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.override: dict[str, Any] = {}
        self.error = ""
        self.answers: dict[str, bytes] = {}  # path -> body instead of the right one
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/realms/team"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Nobody answers any more."""
        self.server.shutdown()
        self.server.server_close()

    def discovery(self) -> dict[str, Any]:
        """The document at /.well-known/openid-configuration."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        """The set of public keys."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the person is sent back to."""
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert {"openid", "email"} <= set(asked["scope"].split())
        back = {"state": asked["state"]}
        if self.error:
            back["error"] = self.error
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = asked
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, sent: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Tokens for a code, once, for the client that has its secret and began this very sign-in."""
        asked = self.codes.pop(sent["code"], None)
        verifier = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        right = (
            asked is not None
            and (sent["client_id"], sent["client_secret"]) == (CLIENT, SECRET)
            and sent["redirect_uri"] == asked["redirect_uri"]
            and base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() == asked["code_challenge"]
        )
        if not right:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        told = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **self.claims, **self.override}
        told = {name: value for name, value in told.items() if value is not None}
        id_token = jwt.encode(told, self.signing_key, algorithm="RS256", headers={"kid": "k1"})
        return 200, {"access_token": "for userinfo", "token_type": "Bearer", "expires_in": 300, "id_token": id_token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def _tell(self, body: Any, status: int = 200) -> None:
                name = urlsplit(self.path).path.rpartition("/")[2]
                told = provider.answers.get(name, json.dumps(body).encode())
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                name = parts.path.rpartition("/")[2]
                provider.asked.append(name)
                if name == "authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(dict(parse_qsl(parts.query))))
                    self.end_headers()
                elif name == "openid-configuration":
                    self._tell(provider.discovery())
                elif name == "keys":
                    self._tell(provider.keys())
                else:
                    assert self.headers["Authorization"] == "Bearer for userinfo"
                    self._tell({"sub": provider.claims["sub"], **provider.userinfo})

            def do_POST(self) -> None:
                provider.asked.append("token")
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, body = provider.token({name: values[0] for name, values in sent.items()})
                self._tell(body, status)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
