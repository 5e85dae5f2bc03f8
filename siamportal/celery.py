"""The Celery application. Messages carry row ids and mean "look now"; the rows are the truth (design 3.6)."""

import os

from .bells import Portal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siamportal.settings")

app = Portal("siamportal", task_cls="siamportal.outages:SweptTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
