"""What the vendor answers when it refuses: the shapes differ from endpoint to endpoint, and so they do here."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

NOT_SIGNED_IN: Json = {"error": "Couldn't authenticate you"}
INVALID_TOKEN: Json = {
    "error": "invalid_token",
    "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
}
FORBIDDEN: Json = {
    "error": "Forbidden",
    "description": "You do not have access to this page. Please contact the account owner of this help desk.",
}


class Refusal(Exception):
    """A request that the vendor refuses: status, JSON body and extra headers."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def not_found() -> Refusal:
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def no_endpoint() -> Refusal:
    return Refusal(404, {"error": "InvalidEndpoint", "description": "Not found"})


def forbidden() -> Refusal:
    return Refusal(403, FORBIDDEN)


def bad_attribute(name: str, why: str = "") -> Refusal:
    message = f"You passed an invalid value for the {name} attribute. {why or f'Invalid parameter: {name}'}"
    return Refusal(400, {"error": {"title": "Invalid attribute", "message": message}})


def bad_page(why: str) -> Refusal:
    return Refusal(400, {"error": "InvalidPaginationParameter", "description": why})


def invalid_record(details: dict[str, list[Json]]) -> Refusal:
    return Refusal(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def invalid(name: str, description: str, error: str = "InvalidValue") -> Refusal:
    return invalid_record({name: [{"description": description, "error": error}]})


def closed_ticket() -> Refusal:
    return invalid_record({"status": [{"description": "Status closed prevents ticket update"}]})


def outdated_stamp() -> Refusal:
    description = (
        "Safe Update prevented the update due to outdated ticket data. "
        "Please fetch the latest ticket data and try again."
    )
    return Refusal(409, {"error": "UpdateConflict", "description": description})


def too_many_requests(retry_after: int, description: str, error: str = "TooManyRequests") -> Refusal:
    return Refusal(429, {"error": error, "description": description}, {"Retry-After": str(retry_after)})


def switched_on(status: int) -> Json | str:
    """The body for a fault that was switched on; server errors come as text, not JSON."""
    known: dict[int, Json] = {
        401: INVALID_TOKEN,
        403: FORBIDDEN,
        404: {"error": "RecordNotFound", "description": "Not found"},
        409: {"error": "DatabaseConflict", "description": "Database collision"},
        429: {"error": "TooManyRequests", "description": "Number of allowed API requests per minute exceeded"},
    }
    if status in known:
        return known[status]
    if status >= 500:
        return "<html><body><h1>Sorry, something went wrong</h1></body></html>"
    return {"error": "BadRequest", "description": "The request could not be processed"}
