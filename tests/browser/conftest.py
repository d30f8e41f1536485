"""One site and one Chromium for all browser tests of a process; every test gets a fresh profile."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.browser.editor import Editor, as_demo
from tests.browser.site import ROOT, Site, chromium, prepared, running, why_not

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
WAIT = 30_000  # milliseconds; a busy machine is slow, not broken
UNTAUGHT = ROOT / "tests" / "golden" / "tiny_clip"
SHOWN = 3000  # characters of a page's text that go with a failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test."""
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            # Preparing the site is not the test's time: on a machine that trains a model it takes minutes by itself.
            item.add_marker(pytest.mark.timeout(600, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the open pages show goes with a failure: seen once on somebody else's machine, it may not come again."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.failed and browser is not None:
        for page in (page for context in browser.contexts for page in context.pages):
            try:
                shown = page.locator("body").inner_text(timeout=2000)
            except Exception as error:
                shown = f"cannot be read: {error}"
            report.sections.append((f"page {page.url}", shown[:SHOWN]))
    return report


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    """A running installation with the sample pictures, and a text encoder that has learnt nothing."""
    if reason := why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # of all processes of this run
    folder = tmp_path_factory.mktemp("site")
    with running(folder, copy_of=prepared(shared), ANYMASK_TEXT_ENCODER=str(UNTAUGHT)) as one:
        yield one


@pytest.fixture(scope="session")
def browser(site):
    """Headless Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=WAIT)
    # pytest-django sees playwright's event loop and would forbid the ORM; nothing here touches it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page's console complained about."""
    return []


@pytest.fixture
def guest(site, browser, complaints):
    """A page of somebody who has not signed in."""
    context = browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()


@pytest.fixture
def sign_in(site, browser):
    """`sign_in("rae")` is the editor's page of another person, an annotator, in a browser of their own."""
    contexts = []

    def as_person(name: str, role: str = "annotator"):
        site.add_people(**{name: role})
        context = browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto("/sign-in")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(name * 2)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Datasets").wait_for()
        return page

    yield as_person
    for context in contexts:
        context.close()


@pytest.fixture
def page(guest):
    """A page of the demo account, on the list of datasets."""
    return as_demo(guest)


@pytest.fixture
def editor(page) -> Iterator[Editor]:
    """The editor on the cat, emptied of masks before and after."""
    one = Editor(page, "chelsea the cat.png")
    one.clear()
    one.open()
    yield one
    one.page.goto("/")  # gives the image back
    one.clear()
