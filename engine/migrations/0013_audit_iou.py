"""What audits of before found, on the masks that they left."""

from django.db import migrations


def keep(apps, schema_editor):
    """Of pairs that people corrected: the last mask that the audit's task made of it."""
    mask_of = apps.get_model("annotation", "Mask").objects
    places = apps.get_model("engine", "AuditedImage").objects.exclude(measured_at=None).order_by("measured_at")
    for place in places.iterator(50):
        rows = {
            str(row["uuid"]): row
            for row in mask_of.filter(image=place.image_id)
            .order_by("serial")
            .values("uuid", "serial", "parent", "task")
        }
        successor = {
            row["parent"]: row
            for row in rows.values()
            if row["parent"] and row["task"] and row["task"] == place.task_id
        }
        for pair in place.pairs:
            row = rows.get(pair["mask"])
            if row is None or pair["outcome"] == "deleted":
                continue
            while row["serial"] in successor:
                row = successor[row["serial"]]
            mask_of.filter(serial=row["serial"]).update(audit_iou=pair["iou"])


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0020_audit_iou"),
        ("engine", "0012_version_comparisons"),
    ]

    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
