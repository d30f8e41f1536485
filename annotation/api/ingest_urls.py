"""Routes of what comes in and what is known of it: uploads, rights, statistics, measurements."""

from django.urls import path

from annotation.api import converters, measurements, rights, uploads  # noqa: F401  <row:...>

urlpatterns = [
    path("datasets/<row:dataset_id>/uploads/", uploads.UploadsView.as_view(), name="uploads"),
    path("datasets/<row:dataset_id>/server-folders/", uploads.ServerFoldersView.as_view(), name="server-folders"),
    path("datasets/<row:dataset_id>/url-lists/", uploads.UrlListsView.as_view(), name="url-lists"),
    path("datasets/<row:dataset_id>/rights/", rights.RightsView.as_view(), name="rights"),
    path("datasets/<row:dataset_id>/removals/", rights.RemovalsView.as_view(), name="removals"),
    path("datasets/<row:dataset_id>/statistics/", rights.StatisticsView.as_view(), name="statistics"),
    path("datasets/<row:dataset_id>/measurements/", measurements.MeasurementsView.as_view(), name="measurements"),
    path(
        "datasets/<row:dataset_id>/measurements/figures/",
        measurements.MeasurementFiguresView.as_view(),
        name="measurement-figures",
    ),
    path(
        "datasets/<row:dataset_id>/measurements/csv/",
        measurements.MeasurementsFileView.as_view(),
        name="measurements-file",
    ),
    path("datasets/<row:dataset_id>/datasheet/", rights.DatasheetView.as_view(), name="datasheet"),
    path("images/<row:image_id>/mapping/", rights.MappingView.as_view(), name="image-mapping"),
    path("uploads/<uuid:upload_id>/", uploads.UploadView.as_view(), name="upload"),
]
