"""The verbs of the sync engine, for pages, API and workers alike."""

from .accepting import accept_notice, read_notice
from .claims import connections_with_work
from .connections import (
    ConnectionRefused,
    change_connection,
    check_connection,
    create_connection,
    notice_secrets,
    pause_connection,
    renew_notice_secret,
    resume_connection,
)
from .lanes import NothingWaits, settle_conflict, skip_entry
from .linking import hear_missed, link_missed, link_ticket, link_tickets
from .making import connector_for
from .operating import retry_lanes
from .polling import is_poll_due, poll, sweep
from .rounds import active_connection, active_connections, refresh, run_round
from .ruling import RulesNotReady, RulesRefused, draft_rules, publish_rules, published_rules, try_rules

__all__ = [
    "ConnectionRefused",
    "NothingWaits",
    "RulesNotReady",
    "RulesRefused",
    "accept_notice",
    "active_connection",
    "active_connections",
    "change_connection",
    "check_connection",
    "connections_with_work",
    "connector_for",
    "create_connection",
    "draft_rules",
    "hear_missed",
    "is_poll_due",
    "link_missed",
    "link_ticket",
    "link_tickets",
    "notice_secrets",
    "pause_connection",
    "poll",
    "publish_rules",
    "published_rules",
    "read_notice",
    "refresh",
    "renew_notice_secret",
    "resume_connection",
    "retry_lanes",
    "run_round",
    "settle_conflict",
    "skip_entry",
    "sweep",
    "try_rules",
]
