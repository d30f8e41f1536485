"""python manage.py token USERNAME: make an API token for a user and print it, this once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.models import ApiToken
from annotation.services import people
from annotation.services.events import event_write

NAME = "command line"


class Command(BaseCommand):
    """Scripts send it as `Authorization: Token ...`. People make their own on the page of their account."""

    help = "Make an API token for a user. It is printed this once; only its digest is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        """USERNAME and --new."""
        parser.add_argument("username")
        parser.add_argument("--new", action="store_true", help="Revoke those that this command made before.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Nothing but the token on stdout."""
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is nobody called {options['username']!r}. Make one: manage.py createsuperuser")
        if options["new"]:
            for token in ApiToken.objects.filter(user=user, name=NAME, revoked_at=None):
                people.token_revoke(token=token)
        row, key = people.token_create(user=user, name=NAME)
        details = {"name": NAME, "username": user.get_username()}
        event_write(actor=None, action="tokens:post", subject="token", subject_id=str(row.pk), details=details)
        self.stdout.write(key)
