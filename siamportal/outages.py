"""While the database is full, read-only, locked or gone: who asks is told to come back, and tasks end without noise.

Nothing is half done then: an effect follows a committed intent only, and the next sweep reads from the rows what is
still to be done (INV-11, F53, F55).
"""

import logging
import sys
from typing import Any

from celery import Task
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.decorators.http import require_safe
from django.views.defaults import server_error

from apps.foundation.api import PROBLEM, NoDatabase
from apps.foundation.outages import OUTAGES

log = logging.getLogger(__name__)


@require_safe
def answer_health(_request: HttpRequest) -> HttpResponse:
    """For load balancers, without signing in: 200 while this process answers and has its database, else 503."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


def answer_fault(request: HttpRequest) -> HttpResponse:
    """The answer to a fault that neither view nor middleware caught: 503 while the database cannot be had, else 500."""
    if not isinstance(sys.exc_info()[1], OUTAGES):
        return server_error(request)
    if request.path.startswith(("/api/", "/hooks/", "/health/")):
        title = NoDatabase.default_code
        body = {"type": "about:blank", "title": title, "status": 503, "detail": str(NoDatabase.default_detail)}
        answer: HttpResponse = JsonResponse(body, status=503, content_type=PROBLEM)
    else:
        # Without the request: its reader's name would have to come from the database.
        answer = HttpResponse(loader.get_template("503.html").render(), status=503)
    answer["Retry-After"] = str(NoDatabase.wait)
    answer["Cache-Control"] = "no-store"
    return answer


class SweptTask(Task):
    """Work that a sweep asks for again: that the database cannot be had is no fault of the task."""

    throws = OUTAGES

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        if isinstance(exc, OUTAGES):
            log.warning("%s: the database cannot be had (%s); the next sweep asks again", self.name, str(exc).strip())
