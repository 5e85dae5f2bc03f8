"""How pages answer: whole or as the fragment that htmx asked for, live without repeating themselves."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render, resolve_url
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

P = ParamSpec("P")
SEEN = "seen-mark-of-this-fragment"


def signed_in(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Only for who is signed in; others go to the sign-in page, and a fragment takes the whole page along."""

    @functools.wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if not is_partial(request):
            return redirect_to_login(request.get_full_path())
        page = urlsplit(request.htmx.current_url_abs_path or "/")  # type: ignore[attr-defined]
        sign_in = redirect_to_login(page.geturl())
        return HttpResponse(status=204, headers={"HX-Redirect": sign_in.url})

    return answer


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page, and not for the page itself by way of htmx."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def show(
    request: HttpRequest, page: str, context: Mapping[str, Any], *, fragment: str, status: int = 200
) -> HttpResponse:
    """The page, or for htmx its fragment: the same address gives both."""
    return render(request, fragment if is_partial(request) else page, dict(context), status=status)


def show_sheet(
    request: HttpRequest,
    inner: str,
    context: Mapping[str, Any],
    *,
    title: str,
    back: tuple[str, str],
    status: int = 200,
) -> HttpResponse:
    """An act's form: a dialog over the open page, or a page of its own below ``back`` (name, address)."""
    whole = {**context, "title": title, "inner": inner, "back_name": back[0], "back": back[1]}
    return show(request, "sheet.html", whole, fragment=inner, status=status)


def done(request: HttpRequest, text: str, to: Any, *args: Any) -> HttpResponse:
    """An act succeeded: htmx tells the open page so; without it the reader goes to ``to``."""
    if is_partial(request):
        told = json.dumps({"changed": None, "toast": text})
        return HttpResponse(status=204, headers={"HX-Trigger": told})
    messages.success(request, text)
    return redirect(to, *args)


def leave(request: HttpRequest, text: str, to: Any, *args: Any) -> HttpResponse:
    """An act succeeded and its result is another page."""
    messages.success(request, text)
    address = resolve_url(to, *args)
    if is_partial(request):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


def render_live(request: HttpRequest, template: str, context: Mapping[str, Any]) -> SafeString:
    """A fragment that carries a mark of its own content, so that asking again for the same costs no repainting."""
    token = get_token(request)
    html = render_to_string(template, {**context, "seen": SEEN, "csrf_token": token}, request)
    # The token is masked anew at each rendering; it must not make equal content look different.
    mark = hashlib.sha256(html.replace(token, "").encode()).hexdigest()[:16]
    return mark_safe(html.replace(SEEN, mark))  # noqa: S308  rendered by the template engine just above


def answer_live(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """The fragment, or 204 when it is what the reader already sees (``?seen=``)."""
    html = render_live(request, template, context)
    seen = request.GET.get("seen", "")
    if seen and f"seen={seen}" in html:
        return HttpResponse(status=204)
    return HttpResponse(html)
