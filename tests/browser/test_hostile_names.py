"""Names that are script stay names: on every page, in a real browser, with the policy watching."""

from __future__ import annotations

import json

from tests.browser.test_pages import TABS

TEXT = "<img src=x onerror=alert(1)><svg/onload=alert(2)>'\"><script>alert(3)</script>{{7*7}}"
LINK = "javascript:alert(4)//" + TEXT
MAKE = """
import json
from django.contrib.auth.models import User
from annotation.models import Dataset, Image, Job, Member, Task, Webhook
from tests.cast import add_image, add_mask
text, link = {text!r}, {link!r}
demo = User.objects.get(username="demo")
other, _ = User.objects.get_or_create(username="mallory", defaults={{"first_name": text[:150]}})
dataset, _ = Dataset.objects.get_or_create(name=text[:200], defaults={{"description": text, "created_by": demo}})
Member.objects.get_or_create(dataset=dataset, user=demo, defaults={{"role": "lead"}})
Member.objects.get_or_create(dataset=dataset, user=other, defaults={{"role": "annotator"}})
image = add_image(dataset, seed=77)
Image.objects.filter(pk=image.pk).update(file_name=text[:200] + ".jpg", licence=link[:100], credit=text[:200])
add_mask(image, category=text[:200], created_by=other)
Job.objects.create(kind="export", title=text[:200], queue="io", dataset=dataset, state="failed", message=text[:500],
                   error_code="unexpected", error_message=text, log=text)
Webhook.objects.create(dataset=dataset, url="https://x.test/" + text, secret="whsec_eA==", problem=text[:300])
Task.objects.filter(image=image).update(skip_reason=text, state="skipped")
print(json.dumps({{"dataset": dataset.pk, "image": image.pk}}))
"""
WATCH = """
window.__refused = [];
document.addEventListener('securitypolicyviolation', event =>
  window.__refused.push(event.violatedDirective + ' ' + event.blockedURI));
"""


def test_no_page_runs_them_and_the_policy_has_nothing_to_stop(page, site):
    made = json.loads(site.manage("shell", "-c", MAKE.format(text=TEXT, link=LINK)).splitlines()[-1])
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.context.add_init_script(WATCH)
    here = f"/datasets/{made['dataset']}"
    paths = ["/", "/account", here, *(f"{here}/{tab.lower()}" for tab in TABS[1:]), f"/images/{made['image']}"]
    refused, shown = [], 0
    try:
        for path in paths:
            page.goto(path)
            page.wait_for_load_state("networkidle")
            refused += [f"{path}: {what}" for what in page.evaluate("window.__refused")]
            shown += TEXT[:28] in page.locator("body").inner_text()
            assert page.locator("img[src='x'], svg[onload], body script:not([src])").count() == 0, path
    finally:
        page.goto("/")
        site.manage(
            "shell", "-c", f"from annotation.models import Dataset; Dataset.objects.get(pk={made['dataset']}).delete()"
        )
    assert dialogs == []
    assert refused == []
    assert shown >= 6, "the names are there, as text"
