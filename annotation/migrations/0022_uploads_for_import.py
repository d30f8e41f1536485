from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0021_webhooks_queue_and_jobs_by_kind"),
    ]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="import_format",
            field=models.CharField(blank=True, default="", max_length=32),
        ),
    ]
