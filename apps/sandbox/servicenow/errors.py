"""What the vendor answers when it refuses: one envelope, and a 403 that has four meanings told apart by its detail."""

from collections.abc import Iterable, Mapping

from .wire import Answer, html_answer, json_answer

FAILED = "Operation Failed"


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, status: int, message: str, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}: {detail}")
        self.status = status
        self.message = message
        self.detail = detail
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        error = {"message": self.message, "detail": self.detail}
        return json_answer(self.status, {"error": error, "status": "failure"}, self.headers)


def not_authenticated() -> Refusal:
    challenge = {"WWW-Authenticate": 'BASIC realm="Service-now"'}
    return Refusal(401, "User Not Authenticated", "Required to provide Auth information", challenge)


def no_record() -> Refusal:
    return Refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def invalid_table(name: str) -> Refusal:
    return Refusal(400, f"Invalid table {name}")


def unknown_resource(path: str) -> Refusal:
    return Refusal(400, "Requested URI does not represent any resource", path)


def wrong_method(method: str) -> Refusal:
    return Refusal(405, "Method not allowed", f"{method} is not supported by this resource")


def not_acceptable() -> Refusal:
    return Refusal(406, "Not acceptable", "Accept header must allow application/json")


def unsupported_media_type(given: str) -> Refusal:
    return Refusal(415, "Unsupported media type", f"Content-Type '{given}' is not supported")


def unreadable(detail: str) -> Refusal:
    return Refusal(400, "Exception while reading request", detail)


def missing_parameter(name: str) -> Refusal:
    return Refusal(400, "Missing parameter", f"Required parameter '{name}' is missing")


def forbidden(operation: str) -> Refusal:
    """A row or table rule said no; ``operation`` is Insert, Update or Delete."""
    return Refusal(403, FAILED, f"ACL Exception {operation} Failed due to security constraints")


def api_forbidden() -> Refusal:
    return Refusal(403, FAILED, "Failed API level ACL Validation")


def aborted(table: str, rule: str, rule_id: str) -> Refusal:
    what = f"Operation against file '{table}' was aborted by Business Rule '{rule}^{rule_id}'"
    return Refusal(403, FAILED, f"{what}. Business Rule Stack:{rule}")


def mandatory(labels: Iterable[str]) -> Refusal:
    return Refusal(403, FAILED, f"Data Policy Exception: The following fields are mandatory: {', '.join(labels)}")


def read_only(labels: Iterable[str]) -> Refusal:
    return Refusal(403, FAILED, f"Data Policy Exception: The following fields are read only: {', '.join(labels)}")


def rate_limited(limit: int, resource: str, headers: Mapping[str, str]) -> Refusal:
    detail = f"Rate limit of {limit} requests per hour for {resource} exceeded"
    return Refusal(429, "Rate limit exceeded", detail, headers)


def fault(status: int, retry_after: float | None) -> Answer:
    """The answer for a switched-on fault, in the words that the vendor uses for that status."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:.0f}"}
    if status == 401:
        return not_authenticated().answer()
    if status == 403:
        return api_forbidden().answer()
    if status == 429:
        return rate_limited(100, "Table API", headers).answer()
    if status in (502, 503):
        page = html_answer(status, "Service temporarily unavailable")
        page.headers |= headers
        return page
    if status == 500:
        return Refusal(500, "Internal server error", "Transaction could not be completed", headers).answer()
    return Refusal(status, FAILED, None, headers).answer()
