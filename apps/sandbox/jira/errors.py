"""Refusals in the vendor's words and envelope: ``{"errorMessages": [...], "errors": {field: text}}``."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

NOT_SIGNED_IN = "Client must be authenticated to access this resource."
NO_SUCH_ISSUE = "Issue does not exist or you do not have permission to see it."
OFF_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
SEARCH_REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline"
    " is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
TOO_LONG = "The entered text is too long. It exceeds the allowed limit of {:,} characters."


class Refusal(Exception):
    """What the vendor would refuse; it becomes an answer with ``status`` and the vendor's error envelope."""

    def __init__(
        self,
        status: int,
        *messages: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, *messages)
        self.status = status
        self.messages = list(messages)
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        return {"errorMessages": self.messages, "errors": self.fields}

    def response(self) -> web.Response:
        return web.json_response(self.as_json(), status=self.status, headers=self.headers)


def bad(message: str) -> Refusal:
    return Refusal(400, message)


def bad_field(field_id: str, message: str) -> Refusal:
    return Refusal(400, fields={field_id: message})


def missing_issue() -> Refusal:
    return Refusal(404, NO_SUCH_ISSUE)
