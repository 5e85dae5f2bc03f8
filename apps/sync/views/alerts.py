"""One's own alerts: what lasts, what is over, and the rules that decide what one is told."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.kernel import find_visible
from apps.accounts.models import User
from apps.foundation.pages import leave, show_sheet, signed_in
from apps.foundation.paging import page_of
from apps.tickets.views.acting import principal_of

from ..forms import AlertRuleForm
from ..models import AlertKind, AlertRule
from ..selectors import connections
from ..services.alerting import AlertRuleRefused, alert_rules_of, alerts_of, delete_alert_rule, save_alert_rule
from ..services.sending import NotTaken, send_sample
from .acts import FORM

PAGE_SIZE = 30


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@signed_in
@require_safe
def alert_list(request: HttpRequest) -> HttpResponse:
    """What the reader's rules raised, and the rules."""
    principal = principal_of(request)
    kinds = dict(AlertKind.choices)
    rules = list(alert_rules_of(principal))
    context = {
        "page": page_of(alerts_of(principal), request.GET.get("page"), size=PAGE_SIZE),
        "rules": [(rule, [kinds.get(kind, kind) for kind in rule.kinds]) for rule in rules],
        "goes_to_files": settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"),
        "time_zone": _me(request).time_zone or "UTC",
    }
    return render(request, "sync/alerts.html", context)


@signed_in
@require_http_methods(FORM)
def alert_rule(request: HttpRequest, rule_id: UUID | None = None) -> HttpResponse:
    """Make a rule, or change one."""
    principal = principal_of(request)
    rule = _find(request, rule_id) if rule_id else None
    known = connections(seen_by=principal)
    initial = {} if rule else {"name": "What waits for us", "kinds": ["mine", "on_hold", "brake", "unreachable"]}
    form = AlertRuleForm(request.POST or None, instance=rule, known=known, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            saved = save_alert_rule(
                user=_me(request),
                principal=principal,
                values=form.values(),
                chosen=[one.pk for one in form.cleaned_data["connections"]],
                at=timezone.now(),
                rule=_find(request, rule_id) if rule_id else None,
            )
        except AlertRuleRefused as refused:
            form.take_problems(refused.problems)
        else:
            return leave(request, f"The rule {saved.name} is saved.", "alert-list")
    context: dict[str, Any] = {"form": form, "rule": rule, "time_zone": _me(request).time_zone or "UTC"}
    if rule is not None and rule.channel == AlertRule.Channel.WEBHOOK:
        context["signing"] = rule.secrets.get("signing", "")
    return render(request, "sync/alert_rule.html", context, status=422 if form.errors else 200)


def _find(request: HttpRequest, rule_id: UUID) -> AlertRule:
    return find_visible(AlertRule.objects.select_related("user"), principal_of(request), pk=rule_id)


@signed_in
@require_http_methods(["POST"])
def alert_rule_try(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """Send one message by the rule's way now, so that its owner knows that it arrives."""
    rule = _find(request, rule_id)
    try:
        send_sample(rule, now=timezone.now())
    except NotTaken as problem:
        messages.error(request, f"It did not leave: {problem}.")
    else:
        messages.success(request, "A sample is on its way.")
    return redirect("alert-list")


@signed_in
@require_http_methods(FORM)
def alert_rule_delete(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """Take a rule away, after asking."""
    rule = _find(request, rule_id)
    if request.method == "POST":
        delete_alert_rule(rule=rule)
        return leave(request, f"The rule {rule.name} is gone, and with it what it raised.", "alert-list")
    back = ("Alerts", reverse("alert-list"))
    return show_sheet(request, "sync/_alert_rule_delete.html", {"rule": rule}, title="Delete a rule", back=back)
