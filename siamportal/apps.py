from django.apps import AppConfig


class SiamportalConfig(AppConfig):
    """The composition root: commands that put the apps together (serve, demo)."""

    name = "siamportal"
    verbose_name = "siamportal"
