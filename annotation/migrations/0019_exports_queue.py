from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0018_newest_first"),
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
                    ("batch", "batch"),
                    ("training", "training"),
                ],
                max_length=16,
            ),
        ),
    ]
