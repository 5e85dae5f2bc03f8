from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "apps.access"
    label = "access"

    def ready(self) -> None:
        from .defaults import load_matrix

        # Not a migration: emptying the tables (as tests do between transactions) ends with this signal too.
        post_migrate.connect(load_matrix, sender=self)
