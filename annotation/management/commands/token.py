"""python manage.py token USERNAME: print the API token of a user, made at the first call."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.authtoken.models import Token


class Command(BaseCommand):
    """Scripts send it as `Authorization: Token ...`."""

    help = "Print an API token for a user."

    def add_arguments(self, parser: CommandParser) -> None:
        """USERNAME and --new."""
        parser.add_argument("username")
        parser.add_argument("--new", action="store_true", help="Revoke the old token and make another one.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Nothing but the token on stdout."""
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is nobody called {options['username']!r}. Make one: manage.py createsuperuser")
        if options["new"]:
            Token.objects.filter(user=user).delete()
        token, _created = Token.objects.get_or_create(user=user)
        self.stdout.write(token.key)
