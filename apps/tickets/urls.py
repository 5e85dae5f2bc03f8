from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("find/", views.find, name="find"),
    path("tickets/", views.ticket_list, name="ticket-list"),
    path("tickets/export.<str:form>", views.export, name="ticket-export"),
    path("tickets/new/", views.ticket_new, name="ticket-new"),
    path("tickets/new/priority/", views.preview_priority, name="ticket-priority-preview"),
    path("tickets/<str:reference>/", views.ticket_page, name="ticket"),
    path("tickets/<str:reference>/pulse/", views.pulse, name="ticket-pulse"),
    path("tickets/<str:reference>/timeline/", views.timeline_page, name="ticket-timeline"),
    path("tickets/<str:reference>/comment/", views.comment, name="ticket-comment"),
    path("tickets/<str:reference>/edit/<str:field>/", views.edit, name="ticket-edit"),
    path("tickets/<str:reference>/move/", views.move, name="ticket-move"),
    path("tickets/<str:reference>/assess/", views.assess, name="ticket-assess"),
    path("tickets/<str:reference>/prioritize/", views.prioritize, name="ticket-prioritize"),
    path("tickets/<str:reference>/hand-over/", views.hand_over, name="ticket-hand-over"),
    path("tickets/<str:reference>/share/", views.share, name="ticket-share"),
    path("tickets/<str:reference>/files/<uuid:attachment_id>/", views.file, name="ticket-file"),
    path("organizations/<slug:slug>/tickets/", views.organization_tickets, name="organization-tickets"),
]
