from django.apps import AppConfig


class EcosystemConfig(AppConfig):
    name = "apps.ecosystem"
    label = "ecosystem"

    def ready(self) -> None:
        from . import permissions  # noqa: F401  declares the policies once the models are there
