from django.urls import path

from . import views

urlpatterns = [
    path("connections/", views.connection_list, name="connection-list"),
    path("connections/new/", views.connection_new, name="connection-new"),
    path("connections/new/<str:connector>/", views.connection_new, name="connection-new-of"),
    path("connections/<uuid:connection_id>/", views.connection_page, name="connection"),
    path("connections/<uuid:connection_id>/live/", views.connection_live, name="connection-live"),
    path("connections/<uuid:connection_id>/edit/", views.connection_edit, name="connection-edit"),
    path("connections/<uuid:connection_id>/check/", views.check, name="connection-check"),
    path("connections/<uuid:connection_id>/pause/", views.pause, name="connection-pause"),
    path("connections/<uuid:connection_id>/resume/", views.resume, name="connection-resume"),
    path("connections/<uuid:connection_id>/secret/", views.notice_secret, name="connection-notice-secret"),
    path("connections/<uuid:connection_id>/rules/", views.rules_list, name="rules-list"),
    path("connections/<uuid:connection_id>/rules/new/", views.rules_new, name="rules-new"),
    path("connections/<uuid:connection_id>/rules/<int:number>/", views.rules_version, name="rules-version"),
    path("connections/<uuid:connection_id>/rules/<int:number>/try/", views.rules_try, name="rules-try"),
    path("connections/<uuid:connection_id>/rules/<int:number>/publish/", views.rules_publish, name="rules-publish"),
    path("lanes/<uuid:link_id>/retry/", views.lane_retry, name="lane-retry"),
    path("lanes/<uuid:link_id>/skip/", views.lane_skip, name="lane-skip"),
    path("conflicts/<uuid:conflict_id>/settle/", views.settle, name="conflict-settle"),
    path("home/lanes/", views.home_lanes, name="home-lanes"),
    path("home/connections/", views.home_connections, name="home-connections"),
    path("tickets/<str:reference>/systems/", views.ticket_systems, name="ticket-systems"),
    path("tickets/<str:reference>/reach/", views.ticket_reach, name="ticket-reach"),
    path("organizations/<slug:slug>/connections/", views.organization_connections, name="organization-connections"),
]
