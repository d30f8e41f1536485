"""A read-mostly view for operators. Masks, tasks and jobs are written by services and jobkit alone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from annotation.models import Dataset, Image, Job, Mask, Member, Task, WorkerPulse


class ReadOnly(admin.ModelAdmin):
    """Looking only."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class MemberInline(admin.TabularInline):
    """People of a dataset."""

    model = Member
    extra = 0
    autocomplete_fields: ClassVar = ["user"]


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):
    """The one thing that operators may edit: settings and people."""

    list_display: ClassVar = ["name", "stage", "auto_retrain", "retrain_after", "created_at"]
    search_fields: ClassVar = ["name"]
    inlines: ClassVar = [MemberInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting goes through the service, which removes the files too."""
        return False


@admin.register(Image)
class ImageAdmin(ReadOnly):
    """Pictures."""

    list_display: ClassVar = ["id", "file_name", "dataset", "width", "height", "split", "created_at"]
    list_filter: ClassVar = ["split"]
    list_select_related: ClassVar = ["dataset"]


@admin.register(Mask)
class MaskAdmin(ReadOnly):
    """Masks, without their runs."""

    list_display: ClassVar = ["uuid", "image_id", "status", "source", "stage", "area", "created_by", "created_at"]
    list_filter: ClassVar = ["status", "source", "stage"]
    list_select_related: ClassVar = ["created_by"]
    exclude: ClassVar = ["segmentation", "candidates"]


@admin.register(Task)
class TaskAdmin(ReadOnly):
    """Who holds what until when."""

    list_display: ClassVar = ["id", "image_id", "kind", "state", "assignee", "lease_expires_at", "seconds"]
    list_filter: ClassVar = ["kind", "state"]
    list_select_related: ClassVar = ["assignee"]


@admin.register(Job)
class JobAdmin(ReadOnly):
    """The ledger."""

    list_display: ClassVar = ["id", "title", "queue", "state", "progress", "attempts", "error_code", "created_at"]
    list_filter: ClassVar = ["state", "queue", "kind"]


@admin.register(WorkerPulse)
class WorkerPulseAdmin(ReadOnly):
    """Which workers are alive."""

    list_display: ClassVar = ["name", "queues", "seen_at"]
