"""Rules as data: the document, its validation against a system's schema, and its compiled form."""

from .compiling import compile_rules
from .document import RulesDocument, RulesRefused, read_document
from .templates import template_for
from .validation import Finding, validate

__all__ = ["Finding", "RulesDocument", "RulesRefused", "compile_rules", "read_document", "template_for", "validate"]
