"""The pages about tickets: each view parses, calls one service or selector, and renders."""

from .acts import assess, comment, edit, hand_over, move, prioritize, share
from .home import home
from .listing import export, find, organization_tickets, ticket_list
from .opening import preview_priority, ticket_new
from .reading import file, pulse, ticket_page, timeline_page

__all__ = [
    "assess",
    "comment",
    "edit",
    "export",
    "file",
    "find",
    "hand_over",
    "home",
    "move",
    "organization_tickets",
    "preview_priority",
    "prioritize",
    "pulse",
    "share",
    "ticket_list",
    "ticket_new",
    "ticket_page",
    "timeline_page",
]
