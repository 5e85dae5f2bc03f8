"""What every template needs: moments, monograms, addresses with a changed query, small charts."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.template.context import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from .. import markdown as markdown_text

register = template.Library()

HUES = 12
# With this salt no two parties of the shipped cast get the same hue.
_HUE_SALT = "10"
_LEGAL_FORMS = {"inc", "ltd", "pvt", "llc", "gmbh", "ag", "plc", "co", "corp", "bv", "sa"}
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_LEVELS = {"read": 1, "write": 2, "full": 3}


@register.filter
def markdown(text: str) -> SafeString:
    return mark_safe(markdown_text.render(text or ""))  # noqa: S308  sanitized by the renderer


@register.filter
def monogram(name: object) -> str:
    """Two letters that stand for a party: of its first and last word, legal forms left out."""
    words = [word for word in str(name).split() if word.strip(".").lower() not in _LEGAL_FORMS] or [str(name)]
    letters = words[0][:1] + words[-1][:1] if len(words) > 1 else words[0][:2]
    return letters.upper()


@register.filter
def hue(key: object) -> str:
    """The CSS class of a party's own color; the same party has the same color everywhere."""
    return f"hue-{zlib.crc32(f'{_HUE_SALT}{key}'.encode()) % HUES}"


@register.filter
def brief_span(seconds: float | None) -> str:
    """A span of time in its largest unit: 3 d, 4 h, 12 min."""
    if seconds is None:
        return ""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "under 1 min"


@register.filter
def seconds_since(value: datetime | None) -> float | None:
    return None if value is None else max(0.0, (timezone.now() - value).total_seconds())


@register.simple_tag
def moment(value: datetime | None, absent: str = "never") -> str:
    """A point in time as readers think of it, with the exact one in their own zone at hand."""
    if value is None:
        return absent
    local = timezone.localtime(value)
    exact = f"{date_format(local, 'M j, Y, H:i')} {local.tzname()}"
    passed = (timezone.now() - value).total_seconds()
    if -60 < passed < 60:
        words = "just now"
    elif abs(passed) < 7 * 86_400:
        span = brief_span(abs(passed))
        words = f"{span} ago" if passed > 0 else f"in {span}"
    else:
        words = date_format(local, "M j, Y")
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, words)


@register.simple_tag
def exact_moment(value: datetime | None) -> str:
    """A point in time with date and minute in the reader's zone."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        local.tzname(),
        date_format(local, "M j, Y, H:i"),
    )


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The query of this page's address with some parameters changed; None takes one out. It begins at page 1."""
    wanted = context["request"].GET.copy()
    for name in {"page", "seen"} - set(changes):
        wanted.pop(name, None)
    for name, value in changes.items():
        wanted.pop(name, None)
        if value not in (None, ""):
            wanted[name] = str(value)
    return f"?{wanted.urlencode()}"


@register.simple_tag(takes_context=True)
def holds(context: Context, resource: str, level: str) -> bool:
    """Whether the reader holds ``resource`` at ``level`` anywhere: for offering a button, never for allowing."""
    principal = context.get("principal")
    return principal is not None and bool(principal.holds(resource, _LEVELS[level]))


@register.simple_tag
def sparkline(counts: Sequence[int], label: str) -> str:
    """Counts over time as a small line; sizes are SVG attributes because the page allows no inline style."""
    if not any(counts):
        return format_html('<span class="muted">{}</span>', "no calls")
    top, step = max(counts), 100 / max(1, len(counts) - 1)
    points = " ".join(f"{index * step:.1f},{22 - 20 * count / top:.1f}" for index, count in enumerate(counts))
    return format_html(
        '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polygon points="0,24 {} 100,24"/><polyline points="{}"/></svg>',
        label,
        points,
        points,
    )
