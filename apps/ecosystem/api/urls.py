from django.urls import path

from .views import MembersView, MeView, OrganizationsView, OrganizationView, UnitsView

urlpatterns = [
    path("me/", MeView.as_view(), name="api-me"),
    path("organizations/", OrganizationsView.as_view(), name="api-organizations"),
    path("organizations/<uuid:organization_id>/", OrganizationView.as_view(), name="api-organization"),
    path("organizations/<uuid:organization_id>/members/", MembersView.as_view(), name="api-members"),
    path("organizations/<uuid:organization_id>/units/", UnitsView.as_view(), name="api-units"),
]
