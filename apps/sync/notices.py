"""The door for webhooks. A notice is verified, stored once, answered quickly; then the system itself is read."""

from django.db import DatabaseError, DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from apps.foundation.api import declared_length

from . import services
from .connectors.base import NoticeRefused
from .crashpoints import reached

LARGEST_NOTICE = 5 * 1024 * 1024


def _answer(status: int, text: str, **headers: str) -> HttpResponse:
    return JsonResponse({"status": status, "detail": text}, status=status, headers=headers)


class Stored(JsonResponse):
    """The answer to a notice that is stored."""

    def close(self) -> None:
        super().close()
        reached("notice answered")


@csrf_exempt
@require_POST
def receive_notice(request: HttpRequest, notice_key: str) -> HttpResponse:
    """Unknown address and wrong signature answer alike. Never 410: Azure DevOps ends a subscription on that at once."""
    if declared_length(request) > LARGEST_NOTICE:
        return _answer(413, f"a notice has at most {LARGEST_NOTICE} bytes")
    body = request.read(LARGEST_NOTICE + 1)
    if len(body) > LARGEST_NOTICE:
        return _answer(413, f"a notice has at most {LARGEST_NOTICE} bytes")
    headers, now = {name.lower(): value for name, value in request.headers.items()}, timezone.now()
    try:
        connection, hint = services.read_notice(notice_key, headers, body, now=now)
        services.accept_notice(connection, hint, now=now)
    except NoticeRefused:
        return _answer(404, "no such address")
    except (DatabaseError, ValueError) as problem:
        if isinstance(problem, (DataError, ValueError)) and not isinstance(problem, ValidationError):
            # NUL, half surrogates, over-long ids: sending it again would not help.
            return _answer(400, "the notice names a ticket that cannot be one of this system's")
        return _answer(503, "not stored; send it again", **{"Retry-After": "30"})
    reached("notice stored")
    return Stored({"status": 202, "detail": "stored"}, status=202)
