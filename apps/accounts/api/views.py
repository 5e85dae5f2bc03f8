"""Tokens: made with a password or by whoever is signed in, shown once, revoked at any time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apps.foundation.routes import ApiView, ListView

from ..models import ApiToken, User
from ..services import (
    DEFAULT_TOKEN_LIFE,
    SignInRefused,
    TokenRefused,
    make_token,
    make_token_for_password,
    revoke_token,
)
from .serializers import FreshTokenSerializer, NewTokenBody, SignInBody, TokenSerializer
from .throttles import PerAccount, PerAddress


class SignInView(ApiView):
    """A token for e-mail and password."""

    # Neither cookie nor token is read here: a stale one must not keep anybody from signing in.
    authentication_classes = []
    permission_classes = []
    throttle_classes = [PerAddress, PerAccount]
    refusals = (TokenRefused,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"

    @extend_schema(
        operation_id="sign_in", tags=["accounts"], auth=[], request=SignInBody, responses={201: FreshTokenSerializer}
    )
    def post(self, request: Request) -> Response:
        body = self.read_body(SignInBody)
        life = _life(body)
        try:
            token, key = make_token_for_password(
                email=body["email"], password=body["password"], name=body["name"], at=timezone.now()
            )
        except SignInRefused as problem:
            raise NotAuthenticated(str(problem)) from problem
        if life != DEFAULT_TOKEN_LIFE:
            token.expires_at = token.created_at + life
            token.save(update_fields=["expires_at"])
        return _show_once(self, token, key)


class MyTokensView(ListView):
    """The tokens of whoever asks."""

    queryset = ApiToken.objects.none()
    order = ("-created_at", "id")
    refusals = (TokenRefused,)

    @extend_schema(operation_id="list_my_tokens", tags=["accounts"], responses=TokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.show_page(TokenSerializer, _tokens_of(request))

    @extend_schema(
        operation_id="make_token", tags=["accounts"], request=NewTokenBody, responses={201: FreshTokenSerializer}
    )
    def post(self, request: Request) -> Response:
        """A further token. One that is made with a token does not outlive that one."""
        assert isinstance(request.user, User)
        body, now = self.read_body(NewTokenBody), timezone.now()
        life = _life(body)
        if isinstance(request.auth, ApiToken):
            rest = request.auth.expires_at - now
            if "days" in body and life > rest:
                raise TokenRefused(f"days: the token that asks ends on {request.auth.expires_at:%Y-%m-%d}")
            life = min(life, rest)
        return _show_once(self, *make_token(user=request.user, name=body["name"], at=now, life=life))


class MyTokenView(ApiView):
    @extend_schema(operation_id="revoke_token", tags=["accounts"], request=None, responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        """The next call with this token is refused."""
        token = _tokens_of(request).filter(pk=token_id).first()
        if token is None:
            raise Http404
        revoke_token(token)
        return Response(status=204)


def _tokens_of(request: Request) -> QuerySet[ApiToken]:
    assert isinstance(request.user, User)
    return ApiToken.objects.filter(user=request.user)


def _life(body: dict[str, Any]) -> timedelta:
    return timedelta(days=body["days"]) if "days" in body else DEFAULT_TOKEN_LIFE


def _show_once(view: ApiView, token: ApiToken, key: str) -> Response:
    token.key = key  # type: ignore[attr-defined]
    return view.show(FreshTokenSerializer, token, 201)
