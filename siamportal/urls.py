"""The map of the portal: pages, API and webhook doors of every app."""

from django.urls import URLPattern, URLResolver, include, path

from apps.sync.notices import receive_notice
from siamportal.outages import answer_health

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("siamportal.api")),
    path("hooks/<str:notice_key>/", receive_notice, name="notice"),
    path("health/", answer_health, name="health"),
    path("", include("siamportal.pages")),
]
handler500 = "siamportal.outages.answer_fault"
