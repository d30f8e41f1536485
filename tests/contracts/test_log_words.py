"""The page of the log has words for every change that the log tells of a dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.urls import URLPattern, URLResolver, get_resolver

from annotation.api.event_log import BY_HAND, CHANGING, SILENT

PAGE = Path(__file__).parents[2] / "frontend" / "src" / "ui" / "dataset" / "LogTab.tsx"
# They belong to a person or to nothing that is left; a dataset's log never has them.
ELSEWHERE = {
    *("session:post", "session:delete", "tokens:post", "token:delete", "groups:post"),
    *("session-oidc:post", "dataset:delete"),
}


def changes(patterns: list[URLPattern | URLResolver], path: str = "") -> Iterator[str]:
    """`name:method` of every route of the API that changes something."""
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from changes(pattern.url_patterns, here)
        elif here.startswith("api/"):
            view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
            yield from (f"{pattern.name}:{m.lower()}" for m in sorted(CHANGING) if hasattr(view, m.lower()))


def test_every_change_of_a_dataset_has_words():
    written = {one for one in changes(get_resolver().url_patterns) if one.split(":")[0] not in SILENT}
    words = set(re.findall(r'^  "([a-z-]+:[a-z]+)":', PAGE.read_text(), re.MULTILINE))
    assert len(written) > 40
    assert words == (written | BY_HAND) - ELSEWHERE
