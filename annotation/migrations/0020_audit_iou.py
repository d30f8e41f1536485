from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0019_exports_queue"),
    ]

    operations = [
        migrations.AddField(
            model_name="mask",
            name="audit_iou",
            field=models.FloatField(blank=True, null=True),
        ),
    ]
