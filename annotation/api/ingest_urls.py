"""Routes of what comes in: uploads, rights, statistics."""

from django.urls import path

from annotation.api import converters, uploads  # noqa: F401  <row:...>

urlpatterns = [
    path("datasets/<row:dataset_id>/uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path("uploads/<uuid:upload_id>/", uploads.UploadView.as_view(), name="upload"),
]
