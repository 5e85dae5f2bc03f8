"""The pages about connections, lanes and rules."""

from .acts import check, lane_retry, lane_skip, notice_secret, pause, resume, settle
from .alerts import alert_list, alert_rule, alert_rule_delete, alert_rule_try
from .braking import brake_answer, brake_export, brake_list, brake_page, brake_put_back
from .lanes import lane_export, lane_list, lane_page
from .operating import lane_correct, lanes_hand, lanes_retry, lanes_skip
from .panels import home_connections, home_lanes, organization_connections, ticket_reach, ticket_systems
from .picture import connection_picture
from .reading import connection_list, connection_live, connection_page
from .restoring import restoration_page
from .ruling import rules_list, rules_new, rules_publish, rules_try, rules_version
from .setting import connection_edit, connection_new

__all__ = [
    "alert_list",
    "alert_rule",
    "alert_rule_delete",
    "alert_rule_try",
    "brake_answer",
    "brake_export",
    "brake_list",
    "brake_page",
    "brake_put_back",
    "check",
    "connection_edit",
    "connection_list",
    "connection_live",
    "connection_new",
    "connection_page",
    "connection_picture",
    "home_connections",
    "home_lanes",
    "lane_correct",
    "lane_export",
    "lane_list",
    "lane_page",
    "lane_retry",
    "lane_skip",
    "lanes_hand",
    "lanes_retry",
    "lanes_skip",
    "notice_secret",
    "organization_connections",
    "pause",
    "restoration_page",
    "resume",
    "rules_list",
    "rules_new",
    "rules_publish",
    "rules_try",
    "rules_version",
    "settle",
    "ticket_reach",
    "ticket_systems",
]
