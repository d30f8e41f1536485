from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0020_audit_iou"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="queue",
            field=models.CharField(
                choices=[
                    ("interactive", "interactive"),
                    ("io", "files"),
                    ("exports", "exports"),
                    ("webhooks", "webhooks"),
                    ("batch", "batch"),
                    ("training", "training"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["dataset", "kind", "-created_at"], name="annotation_job_of_kind"),
        ),
    ]
