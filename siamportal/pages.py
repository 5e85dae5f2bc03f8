"""The map of the pages of every app, and what the apps learn of each other here, because they may not import upward."""

from django.urls import URLPattern, URLResolver, include, path

from apps.sync.selectors import tickets_with_key
from apps.tickets.selectors import KEY_FINDERS

if tickets_with_key not in KEY_FINDERS:
    KEY_FINDERS.append(tickets_with_key)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.accounts.urls")),
    path("", include("apps.tickets.urls")),
    path("", include("apps.sync.urls")),
    path("", include("apps.ecosystem.urls")),
]
