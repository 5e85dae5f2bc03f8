"""Refusals in the vendor's words, codes and shapes."""

from typing import Any

TRACKING = "Microsoft.TeamFoundation.WorkItemTracking.Server"
FRAMEWORK = "Microsoft.TeamFoundation.Framework.Server"
WEB_API = "Microsoft.VisualStudio.Services.WebApi"
COMMON = "Microsoft.VisualStudio.Services.Common"
CORE = "Microsoft.TeamFoundation.Core.WebApi"
HOOKS = "Microsoft.VisualStudio.Services.ServiceHooks.WebApi"

FLAGS = {
    "required": 1,
    "readOnly": 2,
    "hasValues": 4,
    "limitedToValues": 8,
    "invalidEmpty": 1 << 19,
    "invalidTooLong": 1 << 20,
    "invalidCharacters": 1 << 21,
    "invalidType": 1 << 22,
    "invalidListValue": 1 << 23,
    "invalidIdentity": 1 << 24,
}
MISSING = ("required", "hasValues", "limitedToValues", "invalidEmpty")
NOT_LISTED = ("hasValues", "limitedToValues", "invalidListValue")


class Refusal(Exception):
    """The vendor says no: a status, and the body that goes with it."""

    def __init__(
        self,
        status: int,
        message: str,
        key: str,
        space: str = TRACKING,
        *,
        event_id: int = 3000,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.key, self.space = status, message, key, space
        self.event_id, self.extra, self.headers = event_id, extra or {}, headers or {}

    def body(self) -> dict[str, Any]:
        return {
            "$id": "1",
            **({"customProperties": self.extra} if self.extra else {}),
            "innerException": None,
            "message": self.message,
            "typeName": f"{self.space}.{self.key}, {self.space}",
            "typeKey": self.key,
            "errorCode": 0,
            "eventId": self.event_id,
        }


class BindingFault(Refusal):
    """The request could not even be read; the vendor's web framework answers instead of its service."""

    def __init__(self, message: str, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, "HttpError", headers=headers)

    def body(self) -> dict[str, Any]:
        return {"count": 1, "value": {"Message": self.message}}


class NoSuchPath(Refusal):
    """No controller answers this path: plain text, not JSON."""

    def __init__(self, path: str) -> None:
        text = f"The controller for path '{path}' was not found or does not implement IController."
        super().__init__(404, text, "HttpException")


class RuleErrors:
    """Collects the fields that break a rule, because the vendor reports all of them at once."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []

    def add(self, reference: str, name: str, flags: tuple[str, ...], message: str = "") -> None:
        shown = ", ".join(flag[0].upper() + flag[1:] for flag in flags)
        self._found.append(
            {
                "fieldReferenceName": reference,
                "fieldStatusFlags": ", ".join(flags),
                "errorMessage": message or f"TF401320: Rule Error for field {name}. Error code: {shown}.",
                "fieldStatusCode": sum(FLAGS[flag] for flag in flags),
                "ruleValidationErrors": None,
            }
        )

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raises the refusal when a rule was broken."""
        if self._found:
            first = self._found[0]
            extra = {
                "FieldReferenceName": first["fieldReferenceName"],
                "FieldStatusFlags": first["fieldStatusFlags"],
                "ErrorMessage": first["errorMessage"],
                "FieldStatusCode": first["fieldStatusCode"],
                "RuleValidationErrors": self._found,
            }
            raise Refusal(400, str(first["errorMessage"]), "RuleValidationException", extra=extra)


def rule_error(reference: str, name: str, flags: tuple[str, ...], message: str = "") -> Refusal:
    found = RuleErrors()
    found.add(reference, name, flags, message)
    try:
        found.check()
    except Refusal as refusal:
        return refusal
    raise AssertionError


def invalid_argument(message: str) -> Refusal:
    return Refusal(400, message, "VssPropertyValidationException", COMMON)


def missing_item(item_id: int) -> Refusal:
    text = f"TF401232: Work item {item_id} does not exist, or you do not have permissions to read it."
    return Refusal(404, text, "WorkItemUnauthorizedAccessException", event_id=3200)


def missing_project(name: str) -> Refusal:
    text = (
        f"TF200016: The following project does not exist: {name}. Verify that the name of the project is correct "
        "and that the project exists on the specified Azure DevOps Server."
    )
    return Refusal(404, text, "ProjectDoesNotExistWithNameException", CORE)


def missing_type(name: str, project: str) -> Refusal:
    text = f"VS402323: Work item type {name} does not exist in project {project} or you do not have permission to it."
    return Refusal(404, text, "WorkItemTypeNotFoundException")


def missing_field(name: str) -> Refusal:
    return Refusal(
        400,
        f"TF51535: Cannot find field {name}.",
        "WorkItemTrackingFieldDefinitionNotFoundException",
    )


def missing_thing(text: str, key: str, space: str = TRACKING) -> Refusal:
    return Refusal(404, text, key, space)


def stale(path: str, present: object, tested: object) -> Refusal:
    text = f"VS403351: Test Operation for path {path} failed, value {present} was not equal to test value {tested}."
    return Refusal(412, text, "TestPatchOperationFailedException")


def unauthorized() -> Refusal:
    text = "TF400813: The user '' is not authorized to access this resource."
    return Refusal(401, text, "UnauthorizedRequestException", FRAMEWORK)


def forbidden(name: str, need: str) -> Refusal:
    text = f"TF400813: The user '{name}' is not authorized to access this resource: {need}."
    return Refusal(403, text, "UnauthorizedRequestException", FRAMEWORK)


def blocked(headers: dict[str, str]) -> Refusal:
    text = (
        "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource "
        "'Concurrency' in namespace 'User'."
    )
    return Refusal(429, text, "RequestBlockedException", FRAMEWORK, headers=headers)


def unavailable(status: int) -> Refusal:
    text = "TF10216: Azure DevOps services are currently unavailable. Try again later."
    return Refusal(status, text, "TeamFoundationServiceUnavailableException", FRAMEWORK)


def collision() -> Refusal:
    text = "TF26071: This work item has been changed by someone else since you opened it. You need to refresh it."
    return Refusal(409, text, "WorkItemRevisionMismatchException")
