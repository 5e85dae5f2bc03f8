from rest_framework import serializers

from apps.foundation.api import StrictSerializer

from ..models import ApiToken
from ..services import DEFAULT_TOKEN_LIFE, LONGEST_TOKEN_LIFE


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token, without its key."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


class FreshTokenSerializer(TokenSerializer):
    """A token as it is answered when it is made: the only time that its key is shown."""

    key = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "key"]
        read_only_fields = fields


class NewTokenBody(StrictSerializer):
    name = serializers.CharField(max_length=100, help_text="What the token is for.")
    days = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_TOKEN_LIFE.days,
        required=False,
        help_text=f"How long it works; {DEFAULT_TOKEN_LIFE.days} days unless said.",
    )


class SignInBody(NewTokenBody):
    email = serializers.EmailField()
    password = serializers.CharField(max_length=1000, trim_whitespace=False, style={"input_type": "password"})
