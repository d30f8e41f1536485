"""What makes long lists quick: pages found by key, not by counting rows, and masks passed on as they are stored."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from annotation.api.http import CursorPages
from modelzoo import rle
from tests.cast import add_image, add_mask


def patterns(resolver):
    for one in resolver.url_patterns:
        if isinstance(one, URLPattern):
            yield one
        else:
            yield from patterns(one)


def test_every_list_in_pages_goes_by_key():
    views = {getattr(one.callback, "view_class", None) for one in patterns(get_resolver())}
    paged = {view for view in views if getattr(view, "pagination_class", None) is not None}
    assert len(paged) > 5
    assert [view for view in paged if not issubclass(view.pagination_class, CursorPages)] == []


@pytest.mark.django_db
def test_pages_are_found_by_key_and_lose_nothing_while_rows_come_and_go(cast, as_):
    client = as_(cast.vic)
    images = [add_image(cast.dataset, seed=seed) for seed in range(9)]
    url, seen = f"/api/datasets/{cast.dataset.pk}/images/?limit=2", []
    while url:
        with CaptureQueriesContext(connection) as queries:
            page = client.get(url).json()
        assert not [one["sql"] for one in queries if "OFFSET" in one["sql"]]
        seen += [row["id"] for row in page["results"]]
        if len(seen) == 4:
            images[0].delete()
            add_image(cast.dataset, seed=50)
        url = page["next"]
    assert len(seen) == len(set(seen))
    assert {one.pk for one in images[1:]} <= set(seen)


@pytest.mark.django_db
def test_masks_are_listed_without_being_decoded(cast, as_, monkeypatch):
    """The page gets the text that is stored; area and box stand in columns of their own."""
    image = add_image(cast.dataset)
    stored = [add_mask(image, created_by=cast.ben) for _ in range(3)]
    client = as_(cast.vic)

    def refuse(*_args, **_more):
        raise AssertionError("a mask was read to be listed")

    for name in ("decode", "decode_box", "runs", "measure", "bbox", "area", "validate", "examine", "_runs_of_text"):
        monkeypatch.setattr(rle, name, refuse)
    for url in (f"/api/images/{image.pk}/masks/", f"/api/images/{image.pk}/masks/?history=1"):
        listed = client.get(url)
        assert listed.status_code == 200
        assert [one["segmentation"] for one in listed.json()] == [one.segmentation for one in stored]
    for url in (
        f"/api/images/{image.pk}/changes/",
        f"/api/images/{image.pk}/",
        f"/api/datasets/{cast.dataset.pk}/images/",
        f"/api/masks/{stored[0].uuid}/",
        f"/api/masks/{stored[0].uuid}/history/",
    ):
        assert client.get(url).status_code == 200, url
