import uuid

from django.conf import settings
from django.db import models

from apps.ecosystem.models import Organization

from ..vocabulary import Audience
from .ticket import Ticket


class Comment(models.Model):
    """Something said on a ticket; ``body`` is Markdown. Its audience can be narrowed later, never widened."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    body = models.TextField()
    audience = models.CharField(max_length=10, choices=Audience.choices)
    chosen_parties = models.ManyToManyField(Organization, blank=True, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    author_name = models.CharField(max_length=200)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="comments")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"comment by {self.author_name}"


class Attachment(models.Model):
    """A file on a ticket. The bytes lie in the uploads folder under their SHA-256, checked on every way in and out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="attachments")
    comment = models.ForeignKey(Comment, on_delete=models.SET_NULL, null=True, blank=True, related_name="attachments")
    file_name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=127)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    audience = models.CharField(max_length=10, choices=Audience.choices)
    chosen_parties = models.ManyToManyField(Organization, blank=True, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    author_name = models.CharField(max_length=200)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="attachments")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.file_name
