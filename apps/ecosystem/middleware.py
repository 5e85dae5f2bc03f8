from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from .selectors import principal_of


class PrincipalMiddleware:
    """Sets ``request.principal``: the rights of whoever asks, read when first needed, once a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = SimpleLazyObject(lambda: principal_of(request.user))  # type: ignore[attr-defined]
        return self._get_response(request)
