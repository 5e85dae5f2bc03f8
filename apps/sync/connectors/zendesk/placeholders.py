"""Zendesk expands ``{{placeholders}}`` in what is written to it, and removes those it does not know.

An invisible word joiner between the two braces keeps foreign text as it is; it is taken out again on reading. (Wrapping
in code, which Zendesk proposes too, would change how the text looks and would come back as a change.)
"""

import re

_JOINER = "\u2060"
_OPENING = re.compile(r"\{(?=[{%])")
_GUARDED = re.compile(r"(?<=\{)" + _JOINER + r"(?=[{%])")


def guard(text: str) -> str:
    """``text`` in which Zendesk finds nothing to expand."""
    return _OPENING.sub("{" + _JOINER, text)


def unguard(text: str) -> str:
    """The text as it was before :func:`guard`."""
    return _GUARDED.sub("", text)
