from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.access.levels import Level
from apps.accounts.models import User

from ..models import Membership, Organization, Person, Unit


class OrganizationRef(serializers.ModelSerializer[Organization]):
    """An organization where another thing names it."""

    class Meta:
        model = Organization
        fields = ["id", "name"]
        read_only_fields = fields


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    """``customer`` is the customer organization in whose ecosystem it is; ``contract_owner`` holds its contract."""

    customer = OrganizationRef(read_only=True, allow_null=True)
    contract_owner = OrganizationRef(read_only=True, allow_null=True)

    class Meta:
        model = Organization
        fields = ["id", "name", "slug", "layer", "nature", "customer", "contract_owner", "description"]
        read_only_fields = fields


class PersonRef(serializers.ModelSerializer[Person]):
    class Meta:
        model = Person
        fields = ["id", "name", "email"]
        read_only_fields = fields


class UnitSerializer(serializers.ModelSerializer[Unit]):
    class Meta:
        model = Unit
        fields = ["id", "name"]
        read_only_fields = fields


class MemberSerializer(serializers.ModelSerializer[Membership]):
    person = PersonRef(read_only=True)
    unit = UnitSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Membership
        fields = ["id", "person", "role", "job_title", "unit", "from_date", "to_date"]
        read_only_fields = fields


class MyOrganizationSerializer(serializers.ModelSerializer[Organization]):
    """One's own organization, with what one may do there: resource → none, read, write or full."""

    rights = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = ["id", "name", "slug", "layer", "rights"]
        read_only_fields = fields

    @extend_schema_field(
        {"type": "object", "additionalProperties": {"type": "string", "enum": ["read", "write", "full"]}}
    )
    def get_rights(self, organization: Organization) -> dict[str, str]:
        grants = self.context["view"].principal.grants
        held = {resource: scopes.get(organization.pk, Level.NONE) for resource, scopes in grants.items()}
        return {resource: level.name.lower() for resource, level in sorted(held.items()) if level}


class MeSerializer(serializers.ModelSerializer[User]):
    """Who asks, and what follows from the memberships."""

    organizations = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "name", "email", "kind", "time_zone", "organizations"]
        read_only_fields = fields

    @extend_schema_field(MyOrganizationSerializer(many=True))
    def get_organizations(self, _user: User) -> Any:
        principal = self.context["view"].principal
        mine = Organization.objects.filter(pk__in=principal.organizations).order_by("name")
        return MyOrganizationSerializer(mine, many=True, context=self.context).data
