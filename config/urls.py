"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path, re_path

from annotation.api import health, oidc, session
from annotation.api.http import not_found
from config.metrics import metrics
from config.views import page

urlpatterns = [
    path("admin/login/", session.admin_sign_in),  # in front of the admin's own
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("sign-in/oidc/callback/", oidc.callback, name="oidc-callback"),
    path("api/", include("annotation.api.urls")),
    path("api/", include("annotation.api.ingest_urls")),
    path("api/", include("annotation.api.video_urls")),
    path("api/", include("engine.urls")),
    re_path(r"^api(/.*)?$", not_found),
    re_path(r"^(?!static/|assets/)(?P<path>.*)$", page, name="page"),
]

handler400 = "annotation.api.http.bad_request"
handler403 = "annotation.api.http.permission_denied"
handler404 = "annotation.api.http.page_not_found"
handler500 = "annotation.api.http.server_error"
