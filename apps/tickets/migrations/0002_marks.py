import hashlib
from typing import Any

from django.db import migrations, models


def mark_old_entries(apps: Any, _editor: Any) -> None:
    """Entries from before marks get one each; their copies in systems carry marks of the old kind."""
    entries = apps.get_model("tickets", "TicketEvent").objects
    for pk in entries.filter(mark="").values_list("pk", flat=True).iterator(chunk_size=2000):
        digest = hashlib.sha256(f"entry {pk}".encode()).hexdigest()
        entries.filter(pk=pk).update(mark=f"0000{digest[:16]}")


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="ticket",
            name="is_restored",
            field=models.BooleanField(
                default=False,
                help_text="Systems may know more of it: the database was put back to an earlier moment.",
            ),
        ),
        migrations.AddField(
            model_name="ticketevent",
            name="mark",
            field=models.CharField(
                default="", help_text="What its copies in systems are known by, for ever.", max_length=20
            ),
            preserve_default=False,
        ),
        migrations.RunPython(mark_old_entries, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="ticketevent",
            constraint=models.UniqueConstraint(fields=("mark", "ticket"), name="one_event_per_mark"),
        ),
    ]
