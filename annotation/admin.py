"""A read-mostly view for operators. Masks, tasks and jobs are written by services and jobkit alone."""

from __future__ import annotations

import json
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest

from annotation.api.event_log import WORDS
from annotation.models import Dataset, Event, Image, Job, Mask, Member, Task, WorkerPulse
from annotation.services.events import event_write

for _unused in (EmailAddress, SocialApp, SocialToken, SocialAccount, User):
    admin.site.unregister(_unused)


@admin.register(User)
class PeopleAdmin(UserAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
    """Accounts. Whoever leaves is closed, not deleted: masks, verdicts and the log go on saying who made them."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
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


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]  # generic for type checkers alone
    """People of a dataset."""

    model = Member
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
    """The one thing that operators may edit: settings and people."""

    list_display = ["name", "stage", "auto_retrain", "retrain_after", "created_at"]
    search_fields = ["name"]
    inlines = [MemberInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting goes through the service, which removes the files too."""
        return False

    def log_change(self, request: HttpRequest, obj: Dataset, message: Any) -> Any:
        """Leads see in the dataset's log what an operator did here."""
        told = LogEntry(change_message=json.dumps(message)).get_change_message()[:WORDS]
        details = {"note": told}
        event_write(
            actor=request.user,
            action="admin:patch",
            subject="dataset",
            subject_id=str(obj.pk),
            dataset=obj.pk,
            details=details,
        )
        return super().log_change(request, obj, message)


@admin.register(Image)
class ImageAdmin(ReadOnly):
    """Pictures."""

    list_display = ["id", "file_name", "dataset", "width", "height", "split", "created_at"]
    list_filter = ["split"]
    list_select_related = ["dataset"]


@admin.register(Mask)
class MaskAdmin(ReadOnly):
    """Masks, without their runs."""

    list_display = ["uuid", "image_id", "status", "source", "stage", "area", "created_by", "created_at"]
    list_filter = ["status", "source", "stage"]
    list_select_related = ["created_by"]
    exclude = ["segmentation", "candidates"]


@admin.register(Task)
class TaskAdmin(ReadOnly):
    """Who holds what until when."""

    list_display = ["id", "image_id", "kind", "state", "assignee", "lease_expires_at", "seconds"]
    list_filter = ["kind", "state"]
    list_select_related = ["assignee"]


@admin.register(Job)
class JobAdmin(ReadOnly):
    """The ledger."""

    list_display = ["id", "title", "queue", "state", "progress", "attempts", "error_code", "created_at"]
    list_filter = ["state", "queue", "kind"]


@admin.register(Event)
class EventAdmin(ReadOnly):
    """The audit log, with what belongs to no dataset: sign-ins, tokens, groups, datasets that are gone."""

    list_display = ["at", "actor", "action", "subject", "subject_id", "dataset", "details"]
    list_filter = ["subject"]
    list_select_related = ["actor", "dataset"]
    search_fields = ["actor__username", "subject_id"]


@admin.register(WorkerPulse)
class WorkerPulseAdmin(ReadOnly):
    """Which workers are alive."""

    list_display = ["name", "queues", "seen_at"]


@admin.register(SocialAccount)
class SocialAccountAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
    """Who signs in by which provider; deleting a row parts the two (annotation.services.identities)."""

    list_display = ["uid", "user", "provider", "last_login"]
    list_select_related = ["user"]
    search_fields = ["uid", "user__username"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The first sign-in does it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: it would give somebody another's account."""
        return False
