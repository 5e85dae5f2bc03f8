"""Organizations, their people and units, and who one is oneself."""

from functools import cached_property
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible, visible_to

from ..models import Membership, Organization, Unit
from ..selectors import organizations
from .filters import MemberFilters, OrganizationFilters
from .principal import PrincipalListView, PrincipalView
from .serializers import MemberSerializer, MeSerializer, OrganizationSerializer, UnitSerializer


class MeView(PrincipalView):
    @extend_schema(operation_id="who_am_i", tags=["accounts"], responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Who asks, for which organizations, with which rights."""
        return self.show(MeSerializer, request.user)


class OrganizationsView(PrincipalListView):
    queryset = Organization.objects.none()
    filterset_class = OrganizationFilters
    order = ("name", "id")

    @extend_schema(
        operation_id="list_organizations", tags=["organizations"], responses=OrganizationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        return self.show_page(OrganizationSerializer, organizations(seen_by=self.principal))


class _InOrganization(PrincipalView):
    """Below one organization, which must be visible itself."""

    @cached_property
    def organization(self) -> Organization:
        return find_visible(organizations(seen_by=self.principal), self.principal, pk=self.kwargs["organization_id"])


class OrganizationView(_InOrganization):
    @extend_schema(operation_id="read_organization", tags=["organizations"], responses=OrganizationSerializer)
    def get(self, request: Request, organization_id: UUID) -> Response:
        return self.show(OrganizationSerializer, self.organization)


class MembersView(_InOrganization, PrincipalListView):
    queryset = Membership.objects.none()
    filterset_class = MemberFilters
    order = ("from_date", "id")

    @extend_schema(operation_id="list_members", tags=["organizations"], responses=MemberSerializer(many=True))
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Who holds which role. People of other organizations show only to who governs or integrates."""
        rows = Membership.objects.filter(organization=self.organization).select_related("person", "unit")
        return self.show_page(MemberSerializer, visible_to(rows, self.principal))


class UnitsView(_InOrganization, PrincipalListView):
    queryset = Unit.objects.none()
    order = ("name", "id")

    @extend_schema(operation_id="list_units", tags=["organizations"], responses=UnitSerializer(many=True))
    def get(self, request: Request, organization_id: UUID) -> Response:
        rows = Unit.objects.filter(organization=self.organization)
        return self.show_page(UnitSerializer, visible_to(rows, self.principal))
