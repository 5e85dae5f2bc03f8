"""What is said on a ticket and what hangs on it: journal, comments and attachments, as far as one may read them."""

import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible
from apps.ecosystem.api.principal import PrincipalListView
from apps.ecosystem.models import Organization
from apps.foundation.api import Refused, TooLarge, declared_length

from .. import services
from ..models import Attachment, Comment, Ticket, TicketEvent
from ..selectors import attachments_of, comments_of, events_of
from ..storage import FileDamaged, open_checked
from .filters import EventFilters
from .serializers import AttachmentBody, AttachmentSerializer, CommentBody, CommentSerializer, EventSerializer
from .views import REFERENCE, REFUSALS, OnTicket

log = logging.getLogger(__name__)
FORM_ROOM = 64 * 1024
"""What the form around an attached file may take."""


class Damaged(APIException):
    default_code = "file_damaged"
    default_detail = "The stored file is missing or no longer what was uploaded; the operator must restore it."


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class EventsView(OnTicket, PrincipalListView):
    queryset = TicketEvent.objects.none()
    filterset_class = EventFilters
    order = ("seq",)

    @extend_schema(operation_id="list_events", responses=EventSerializer(many=True))
    def get(self, request: Request, reference: str) -> Response:
        """The journal in order. Numbers may be missing: entries about what one may not read are left out."""
        rows = events_of(self.ticket, seen_by=self.principal).select_related("party", "organization")
        return self.show_page(EventSerializer, rows)


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class CommentsView(OnTicket, PrincipalListView):
    queryset = Comment.objects.none()
    refusals = REFUSALS
    order = ("at", "id")

    @extend_schema(operation_id="list_comments", responses=CommentSerializer(many=True))
    def get(self, request: Request, reference: str) -> Response:
        return self.show_page(CommentSerializer, _with_names(comments_of(self.ticket, seen_by=self.principal)))

    @extend_schema(operation_id="comment_on_ticket", request=CommentBody, responses={201: CommentSerializer})
    def post(self, request: Request, reference: str) -> Response:
        """Say something to all parties, to chosen ones, or inside one's own organization."""
        _, body = self.ticket, self.read_body(CommentBody)
        actor = self.actor(body)
        said = services.comment(
            ticket=self.ticket,
            body=body["body"],
            audience=body["audience"],
            chosen=_parties(self.ticket, body.get("chosen", [])),
            actor=actor,
            at=timezone.now(),
        )
        return self.show(CommentSerializer, said, 201)


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class AttachmentsView(OnTicket, PrincipalListView):
    queryset = Attachment.objects.none()
    parser_classes = [MultiPartParser]
    refusals = REFUSALS
    order = ("at", "id")

    @extend_schema(operation_id="list_attachments", responses=AttachmentSerializer(many=True))
    def get(self, request: Request, reference: str) -> Response:
        return self.show_page(AttachmentSerializer, _with_names(attachments_of(self.ticket, seen_by=self.principal)))

    @extend_schema(
        operation_id="attach_file",
        request={"multipart/form-data": AttachmentBody},
        responses={201: AttachmentSerializer},
    )
    def post(self, request: Request, reference: str) -> Response:
        """Put a file on the ticket."""
        ticket = self.ticket
        if declared_length(request) > settings.SIAM_LARGEST_ATTACHMENT + FORM_ROOM:
            raise TooLarge(f"a file has at most {settings.SIAM_LARGEST_ATTACHMENT} bytes")
        body = self.read_body(AttachmentBody)
        actor = self.actor(body)
        file = body["file"]
        attached = services.attach(
            ticket=ticket,
            file=services.File(file.name or "", file.content_type or "", file),
            audience=body["audience"],
            chosen=_parties(ticket, body.get("chosen", [])),
            actor=actor,
            at=timezone.now(),
        )
        return self.show(AttachmentSerializer, attached, 201)


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class ContentView(OnTicket):
    @extend_schema(
        operation_id="download_attachment", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, reference: str, attachment_id: UUID) -> Any:
        """The bytes, after their hash was checked. Always a download: a browser never shows what a party uploaded."""
        rows = attachments_of(self.ticket, seen_by=self.principal)
        attachment = find_visible(rows, self.principal, pk=attachment_id)
        try:
            stream = open_checked(attachment.sha256)
        except FileDamaged as problem:
            log.exception("attachment %s of %s", attachment.pk, self.ticket.reference)
            raise Damaged from problem
        answer = FileResponse(
            stream, as_attachment=True, filename=attachment.file_name, content_type="application/octet-stream"
        )
        answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def _with_names(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.select_related("organization").prefetch_related("chosen_parties")


def _parties(ticket: Ticket, chosen: list[UUID]) -> list[Organization]:
    """The chosen parties. An organization that is none, foreign or absent, is refused in the same words."""
    here = {row.pk: row for row in Organization.objects.filter(ticket_parties__ticket=ticket, pk__in=chosen)}
    outside = [str(organization_id) for organization_id in chosen if organization_id not in here]
    if outside:
        text = f"{', '.join(outside)} does not take part in this ticket; share it first"
        raise Refused(f"chosen: {text}", {"chosen": text})
    return list(here.values())
