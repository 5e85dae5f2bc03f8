from django.urls import path

from . import views

urlpatterns = [
    path("organizations/", views.organization_list, name="organization-list"),
    path("organizations/<slug:slug>/", views.organization_page, name="organization"),
]
