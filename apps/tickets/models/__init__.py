from .conversation import Attachment, Comment
from .journal import JournalIsAppendOnly, TicketEvent
from .priority import PriorityCell
from .ticket import Route, Ticket, TicketParty

__all__ = [
    "Attachment",
    "Comment",
    "JournalIsAppendOnly",
    "PriorityCell",
    "Route",
    "Ticket",
    "TicketEvent",
    "TicketParty",
]
