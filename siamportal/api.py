"""The map of the API: every app's routes, its own description, and an answer for addresses that do not exist."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

import apps.accounts.api.schema  # noqa: F401  registers how tokens are described
from apps.foundation.routes import NoSuchAddress


class SchemaView(SpectacularAPIView):
    """The OpenAPI document of this API, for whoever can sign in."""

    permission_classes = [IsAuthenticated]
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]


class DocsView(SpectacularSwaggerSplitView):
    """The API to read and to try, in a browser, without anything from elsewhere."""

    permission_classes = [IsAuthenticated]
    url_name = "api-schema"

    def handle_exception(self, exc: Exception) -> Response:
        # The template renderer would make a page without content of a problem.
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), "application/json"
        answer = super().handle_exception(exc)
        assert isinstance(answer, Response)
        return answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", DocsView.as_view(), name="api-docs"),
    path("", include("apps.accounts.api.urls")),
    path("", include("apps.ecosystem.api.urls")),
    path("", include("apps.tickets.api.urls")),
    path("", include("apps.sync.api.urls")),
    re_path(r"^", NoSuchAddress.as_view(), name="api-no-such-address"),
]
