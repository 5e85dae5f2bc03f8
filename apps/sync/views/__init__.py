"""The pages about connections, lanes and rules."""

from .acts import check, lane_retry, lane_skip, notice_secret, pause, resume, settle
from .panels import home_connections, home_lanes, organization_connections, ticket_reach, ticket_systems
from .reading import connection_list, connection_live, connection_page
from .ruling import rules_list, rules_new, rules_publish, rules_try, rules_version
from .setting import connection_edit, connection_new

__all__ = [
    "check",
    "connection_edit",
    "connection_list",
    "connection_live",
    "connection_new",
    "connection_page",
    "home_connections",
    "home_lanes",
    "lane_retry",
    "lane_skip",
    "notice_secret",
    "organization_connections",
    "pause",
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
