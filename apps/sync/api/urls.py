from django.urls import path

from .alerts import AlertRulesView, AlertRuleView, AlertsView
from .braking import AnswerBrakeView, BrakeActsView, BrakesView, BrakeView, PutBackView
from .connections import (
    AllowanceView,
    CheckView,
    ConnectionsView,
    ConnectionView,
    ConnectorsView,
    ConnectorView,
    ExchangesView,
    NoticesView,
    PauseView,
    RenewNoticeSecretView,
    ResumeView,
    SamplesView,
)
from .lanes import (
    ConflictsView,
    CorrectView,
    HandView,
    LaneActsView,
    LaneExchangesView,
    LaneGroupsView,
    LaneIntentsView,
    LanesView,
    LaneView,
    LinksView,
    RetryView,
    SettleView,
    SkipView,
    TicketLinksView,
)
from .restoring import DivergencesView, RestorationsView
from .ruling import PublishRulesView, RulesVersionView, RulesView, TryRulesView

BRAKE = "brakes/<uuid:brake_id>/"
LANE = "lanes/<uuid:lane_id>/"
CONNECTION = "connections/<uuid:connection_id>/"
RULES = CONNECTION + "rules/<int:number>/"

urlpatterns = [
    path("alerts/", AlertsView.as_view(), name="api-alerts"),
    path("alert-rules/", AlertRulesView.as_view(), name="api-alert-rules"),
    path("alert-rules/<uuid:rule_id>/", AlertRuleView.as_view(), name="api-alert-rule"),
    path("tickets/<slug:reference>/links/", TicketLinksView.as_view(), name="api-ticket-links"),
    path("links/", LinksView.as_view(), name="api-links"),
    path("lanes/", LanesView.as_view(), name="api-lanes"),
    path("lanes/groups/", LaneGroupsView.as_view(), name="api-lane-groups"),
    path(LANE, LaneView.as_view(), name="api-lane"),
    path(LANE + "intents/", LaneIntentsView.as_view(), name="api-lane-intents"),
    path(LANE + "exchanges/", LaneExchangesView.as_view(), name="api-lane-exchanges"),
    path(LANE + "acts/", LaneActsView.as_view(), name="api-lane-acts"),
    path(LANE + "correct/", CorrectView.as_view(), name="api-lane-correct"),
    path(LANE + "hand/", HandView.as_view(), name="api-lane-hand"),
    path(LANE + "retry/", RetryView.as_view(), name="api-lane-retry"),
    path(LANE + "skip/", SkipView.as_view(), name="api-lane-skip"),
    path("brakes/", BrakesView.as_view(), name="api-brakes"),
    path(BRAKE, BrakeView.as_view(), name="api-brake"),
    path(BRAKE + "acts/", BrakeActsView.as_view(), name="api-brake-acts"),
    path(BRAKE + "answer/", AnswerBrakeView.as_view(), name="api-brake-answer"),
    path(BRAKE + "put-back/", PutBackView.as_view(), name="api-brake-put-back"),
    path("conflicts/", ConflictsView.as_view(), name="api-conflicts"),
    path("conflicts/<uuid:conflict_id>/settle/", SettleView.as_view(), name="api-conflict-settle"),
    path("restorations/", RestorationsView.as_view(), name="api-restorations"),
    path("divergences/", DivergencesView.as_view(), name="api-divergences"),
    path("connectors/", ConnectorsView.as_view(), name="api-connectors"),
    path("connectors/<slug:name>/", ConnectorView.as_view(), name="api-connector"),
    path("connections/", ConnectionsView.as_view(), name="api-connections"),
    path(CONNECTION, ConnectionView.as_view(), name="api-connection"),
    path(CONNECTION + "check/", CheckView.as_view(), name="api-connection-check"),
    path(CONNECTION + "pause/", PauseView.as_view(), name="api-connection-pause"),
    path(CONNECTION + "resume/", ResumeView.as_view(), name="api-connection-resume"),
    path(
        CONNECTION + "renew-notice-secret/", RenewNoticeSecretView.as_view(), name="api-connection-renew-notice-secret"
    ),
    path(CONNECTION + "allowance/", AllowanceView.as_view(), name="api-allowance"),
    path(CONNECTION + "exchanges/", ExchangesView.as_view(), name="api-exchanges"),
    path(CONNECTION + "samples/", SamplesView.as_view(), name="api-samples"),
    path(CONNECTION + "notices/", NoticesView.as_view(), name="api-notices"),
    path(CONNECTION + "rules/", RulesView.as_view(), name="api-rules"),
    path(RULES, RulesVersionView.as_view(), name="api-rules-version"),
    path(RULES + "try/", TryRulesView.as_view(), name="api-rules-try"),
    path(RULES + "publish/", PublishRulesView.as_view(), name="api-rules-publish"),
]
