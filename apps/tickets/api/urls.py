from django.urls import path

from .conversation import AttachmentsView, CommentsView, ContentView, EventsView
from .views import AssessView, HandOverView, MoveView, PrioritizeView, ShareView, TicketsView, TicketView

# A slug, so that no other character than those of references and ids reaches the database.
ONE = "tickets/<slug:reference>/"

urlpatterns = [
    path("tickets/", TicketsView.as_view(), name="api-tickets"),
    path(ONE, TicketView.as_view(), name="api-ticket"),
    path(ONE + "assess/", AssessView.as_view(), name="api-ticket-assess"),
    path(ONE + "prioritize/", PrioritizeView.as_view(), name="api-ticket-prioritize"),
    path(ONE + "move/", MoveView.as_view(), name="api-ticket-move"),
    path(ONE + "share/", ShareView.as_view(), name="api-ticket-share"),
    path(ONE + "hand-over/", HandOverView.as_view(), name="api-ticket-hand-over"),
    path(ONE + "events/", EventsView.as_view(), name="api-events"),
    path(ONE + "comments/", CommentsView.as_view(), name="api-comments"),
    path(ONE + "attachments/", AttachmentsView.as_view(), name="api-attachments"),
    path(ONE + "attachments/<uuid:attachment_id>/content/", ContentView.as_view(), name="api-attachment-content"),
]
