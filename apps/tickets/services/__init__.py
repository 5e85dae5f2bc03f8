"""Every verb that writes to a ticket. Each appends to the journal in the same transaction."""

from .changing import FieldNotUsable, MoveNotAllowed, assess, edit, move, prioritize, receive_changes
from .conversation import AttachmentNotUsable, CommentNotUsable, File, attach, comment
from .journal import note
from .opening import open_ticket
from .routing import NotInThisEcosystem, hand_over, rejoin, share

__all__ = [
    "AttachmentNotUsable",
    "CommentNotUsable",
    "FieldNotUsable",
    "File",
    "MoveNotAllowed",
    "NotInThisEcosystem",
    "assess",
    "attach",
    "comment",
    "edit",
    "hand_over",
    "move",
    "note",
    "open_ticket",
    "prioritize",
    "receive_changes",
    "rejoin",
    "share",
]
