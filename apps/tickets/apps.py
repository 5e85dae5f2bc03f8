from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TicketsConfig(AppConfig):
    name = "apps.tickets"
    label = "tickets"

    def ready(self) -> None:
        from . import permissions  # noqa: F401  declares the policies once the models are there
        from .defaults import load_priorities

        # Not a migration: emptying the tables (as tests do between transactions) ends with this signal too.
        post_migrate.connect(load_priorities, sender=self)
