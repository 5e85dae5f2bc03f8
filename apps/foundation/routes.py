"""What every route of the API is made from. Apart from ``api``, which the framework itself loads before its views."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.openapi import AutoSchema
from rest_framework import exceptions, serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from .api import PROBLEM, Nothing, Pages, Refused, StrictJSON, StrictSerializer


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


class ApiSchema(AutoSchema):
    """Says of every operation that errors come as problem details."""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        problem = self._get_response_for_code(ProblemSerializer, "default", [PROBLEM], direction)  # type: ignore[no-untyped-call]
        return {**bodies, "default": {**problem, "description": "Anything else"}}


class ApiView(GenericAPIView):
    """One route. Reads through selectors, writes through services, and takes no parameter that it does not name.

    ``refusals``: exceptions of services that are answered with 422.
    """

    schema = ApiSchema()
    parser_classes = [StrictJSON]
    pagination_class: Any = None
    filter_backends: Any = []
    serializer_class = Nothing
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    parameters: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        known = self.known_parameters()
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            text = f"This parameter is not known here; known are {', '.join(sorted(known)) or 'none'}."
            raise exceptions.ValidationError({name: [text] for name in unknown})

    def known_parameters(self) -> frozenset[str]:
        return self.parameters

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(Refused.from_refusal(exc) if isinstance(exc, self.refusals) else exc)

    def read_body(self, kind: type[StrictSerializer] = Nothing) -> dict[str, Any]:
        """The body as ``kind`` reads it; raises ValidationError naming each member that is wrong."""
        body = kind(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        taken: dict[str, Any] = body.validated_data
        return taken

    def show(self, kind: type[serializers.BaseSerializer[Any]], thing: Any, status: int = 200) -> Response:
        return Response(kind(thing, context=self.get_serializer_context()).data, status=status)


class ListView(ApiView):
    """A route that lists rows, page by page. ``order`` is the default, ``orderings`` what may be chosen instead."""

    pagination_class = Pages
    filter_backends: Any = ApiView.settings.DEFAULT_FILTER_BACKENDS
    order: ClassVar[tuple[str, ...]] = ("id",)
    orderings: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def known_parameters(self) -> frozenset[str]:
        filters = getattr(getattr(self, "filterset_class", None), "base_filters", {})
        return self.parameters | {"cursor", "page_size", *filters} | ({"ordering"} if self.orderings else set())

    def chosen_order(self) -> tuple[str, ...]:
        asked = self.request.query_params.get("ordering")
        if asked is None or not self.orderings:
            return self.order
        if asked not in self.orderings:
            raise exceptions.ValidationError({"ordering": [f"Choose one of {', '.join(self.orderings)}."]})
        return self.orderings[asked]

    def show_page(self, kind: type[serializers.BaseSerializer[Any]], rows: QuerySet[Any]) -> Response:
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(kind(page, many=True, context=self.get_serializer_context()).data)  # type: ignore[arg-type]


class NoSuchAddress(ApiView):
    """Every address below the API that no route has."""

    authentication_classes = []
    permission_classes = []
    schema = None  # type: ignore[assignment]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound("There is no such address; addresses end with a slash.")
