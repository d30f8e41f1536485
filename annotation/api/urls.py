"""Routes of the API."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from annotation.api import converters, datasets, images, live, masks, reviews, session, work  # noqa: F401  <row:...>

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("session/", session.SessionView.as_view(), name="session"),
    path("datasets/", datasets.DatasetsView.as_view(), name="datasets"),
    path("datasets/<row:dataset_id>/", datasets.DatasetView.as_view(), name="dataset"),
    path("datasets/<row:dataset_id>/members/", datasets.MembersView.as_view(), name="members"),
    path("datasets/<row:dataset_id>/members/<row:member_id>/", datasets.MemberView.as_view(), name="member"),
    path("datasets/<row:dataset_id>/agreement/", datasets.AgreementView.as_view(), name="agreement"),
    path("datasets/<row:dataset_id>/images/", images.ImagesView.as_view(), name="images"),
    path("datasets/<row:dataset_id>/categories/", live.CategoriesView.as_view(), name="categories"),
    path("datasets/<row:dataset_id>/tasks/next/", work.NextTaskView.as_view(), name="task-next"),
    path("datasets/<row:dataset_id>/jobs/", datasets.DatasetJobsView.as_view(), name="jobs"),
    path("datasets/<row:dataset_id>/exports/", datasets.ExportsView.as_view(), name="exports"),
    path("datasets/<row:dataset_id>/imports/", datasets.ImportsView.as_view(), name="imports"),
    path("images/<row:image_id>/", images.ImageView.as_view(), name="image"),
    path("images/<row:image_id>/file/", images.ImageFileView.as_view(), name="image-file"),
    path("images/<row:image_id>/thumbnail/", images.ImageThumbnailView.as_view(), name="image-thumbnail"),
    path("images/<row:image_id>/overlay/", images.ImageOverlayView.as_view(), name="image-overlay"),
    path("images/<row:image_id>/masks/", images.ImageMasksView.as_view(), name="image-masks"),
    path("images/<row:image_id>/changes/", live.ImageChangesView.as_view(), name="image-changes"),
    path("images/<row:image_id>/task/", work.ImageTaskView.as_view(), name="image-task"),
    path("images/<row:image_id>/predict/", images.PredictView.as_view(), name="image-predict"),
    path("masks/<uuid:mask_id>/", masks.MaskView.as_view(), name="mask"),
    path("masks/<uuid:mask_id>/restore/", masks.MaskRestoreView.as_view(), name="mask-restore"),
    path("masks/<uuid:mask_id>/history/", masks.MaskHistoryView.as_view(), name="mask-history"),
    path("datasets/<row:dataset_id>/reviews/", reviews.ReviewsView.as_view(), name="reviews"),
    path("datasets/<row:dataset_id>/feedback/", reviews.FeedbackView.as_view(), name="feedback"),
    path("tasks/<row:task_id>/review/", reviews.TaskReviewView.as_view(), name="task-review"),
    path("tasks/<row:task_id>/review/<row:item_id>/", reviews.ReviewItemView.as_view(), name="review-item"),
    path("tasks/<row:task_id>/", work.TaskView.as_view(), name="task"),
    path("tasks/<row:task_id>/renew/", work.TaskRenewView.as_view(), name="task-renew"),
    path("tasks/<row:task_id>/submit/", work.TaskSubmitView.as_view(), name="task-submit"),
    path("tasks/<row:task_id>/skip/", work.TaskSkipView.as_view(), name="task-skip"),
    path("tasks/<row:task_id>/release/", work.TaskReleaseView.as_view(), name="task-release"),
    path("jobs/<uuid:job_id>/", work.JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel/", work.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/retry/", work.JobRetryView.as_view(), name="job-retry"),
    path("exports/<uuid:job_id>/download/", datasets.ExportDownloadView.as_view(), name="export-download"),
]
