"""A lead decides on the page when and how the dataset is retrained; others read it."""

from __future__ import annotations

from playwright.sync_api import expect


def test_a_schedule_is_set_shown_and_taken_away_again(page, complaints):
    page.goto("/datasets/1/model")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("How often").select_option("weekly")
    page.get_by_label("Day", exact=True).select_option(label="Wednesday")
    page.get_by_label("Time of day").fill("02:30")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_label("New masks", exact=True).fill("50")
    page.get_by_label("Minutes").fill("9")
    page.get_by_role("button", name="Save").click()
    page.reload()
    card = page.get_by_role("region", name="Next retraining")
    expect(card).to_contain_text("Every Wednesday at 02:30 (Asia/Tokyo), next")
    expect(card).to_contain_text("of 50 new masks")
    expect(card).to_contain_text("Trains for 9 minutes")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("How often").select_option("off")
    page.get_by_label("New masks", exact=True).fill("20")
    page.get_by_label("Minutes").fill("")
    page.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("Not by the clock")
    expect(card).to_contain_text("of 20 new masks")
    assert complaints == []


def test_who_does_not_lead_reads_it_and_changes_nothing(sign_in):
    page = sign_in("vic", "viewer")
    page.goto("/datasets/1/model")
    card = page.get_by_role("region", name="Next retraining")
    expect(card).to_contain_text("Trains for")
    expect(card.get_by_role("button", name="Settings")).to_have_count(0)
    expect(card.get_by_role("button", name="Retrain now")).to_be_disabled()
