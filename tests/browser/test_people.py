"""The people of a dataset, as its page shows them."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.test_uploads import new_dataset


def test_a_lead_who_steps_down_sees_at_once_what_is_left_to_them(page, site):
    new_dataset(page, "Handed on")
    site.add_people(rae="lead")
    page.get_by_role("link", name="People").click()
    row = page.get_by_role("row").filter(has_text="you")
    expect(page.get_by_role("heading", name="Invite by link")).to_be_visible()
    row.get_by_role("combobox").select_option("viewer")
    expect(row).to_contain_text("viewer")
    expect(page.get_by_role("heading", name="Invite by link")).to_have_count(0)
