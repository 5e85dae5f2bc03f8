from django.apps import AppConfig


class FoundationConfig(AppConfig):
    name = "apps.foundation"
    label = "foundation"
