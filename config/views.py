"""The page itself: one HTML file for every address that is not the API's."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

NOT_BUILT = (
    "<!doctype html><html lang=en><title>Anymask</title><h1>The pages are not built yet</h1>"
    "<p>Run <code>make setup</code>, or <code>npm ci &amp;&amp; npm run build</code> in <code>frontend/</code>, "
    "and start again. The API under <code>/api/</code> works without them.</p></html>"
)


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest, path: str = "") -> HttpResponse:
    """index.html of the built front end; sets the CSRF cookie that the page sends back with every change."""
    index = settings.FRONTEND_DIST / "index.html"
    if not index.is_file():
        return HttpResponse(NOT_BUILT, status=503)
    response = HttpResponse(index.read_bytes())
    patch_cache_control(response, no_cache=True)
    return response
