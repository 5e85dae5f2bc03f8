"""Signing in, and what a person does with the own account."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.foundation.pages import leave, show_sheet, signed_in

from .forms import PasswordForm, ProfileForm, SignInForm, TokenForm
from .models import ApiToken, User
from .services import make_token, revoke_token

sign_in = LoginView.as_view(
    template_name="accounts/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
)
sign_out = LogoutView.as_view()


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@signed_in
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """The own account: name, time zone, password, tokens."""
    me = _me(request)
    tokens = me.api_tokens.order_by("-created_at")
    context = {
        "profile": ProfileForm(instance=me),
        "password": PasswordForm(me),
        "tokens": tokens,
        "now": timezone.now(),
    }
    return render(request, "accounts/account.html", context)


def _with_errors(request: HttpRequest, **forms: object) -> HttpResponse:
    me = _me(request)
    context = {
        "profile": ProfileForm(instance=User.objects.get(pk=me.pk)),
        "password": PasswordForm(me),
        "tokens": me.api_tokens.order_by("-created_at"),
        "now": timezone.now(),
        **forms,
    }
    return render(request, "accounts/account.html", context, status=422)


@signed_in
@require_http_methods(["POST"])
def change_profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST, instance=User.objects.get(pk=_me(request).pk))
    if not form.is_valid():
        return _with_errors(request, profile=form)
    form.save()
    messages.success(request, "Your account is changed.")
    return redirect("account")


@signed_in
@require_http_methods(["POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(_me(request), request.POST)
    if not form.is_valid():
        return _with_errors(request, password=form)
    form.save()
    update_session_auth_hash(request, form.user)
    messages.success(request, "Your password is changed. Other devices are signed out.")
    return redirect("account")


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def token_new(request: HttpRequest) -> HttpResponse:
    """Make an API token. Its key is in this one answer and nowhere else."""
    form = TokenForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = 422 if form.errors else 200
        return show_sheet(
            request, "accounts/_token_new.html", {"form": form}, title="New API token", back=_back(), status=status
        )
    token, key = make_token(user=_me(request), name=form.cleaned_data["name"], at=timezone.now(), life=form.life)
    context = {"token": token, "key": key}
    return show_sheet(request, "accounts/_token_made.html", context, title="Your new API token", back=_back())


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End a token of one's own, after asking."""
    token = get_object_or_404(ApiToken, pk=token_id, user=_me(request))
    if request.method == "POST":
        revoke_token(token)
        return leave(request, f"The token {token.name} is revoked; the next call with it is refused.", "account")
    return show_sheet(request, "accounts/_token_revoke.html", {"token": token}, title="Revoke a token", back=_back())


def _back() -> tuple[str, str]:
    return "Your account", reverse("account")
