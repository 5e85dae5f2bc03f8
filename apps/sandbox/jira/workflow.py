"""Which way a ticket may go, and what may be written in the status that it is in."""

from typing import TYPE_CHECKING

from . import seed
from .state import FieldSpec, Issue, Transition

if TYPE_CHECKING:
    from .site import Site


def available(site: "Site", issue: Issue) -> list[Transition]:
    """The transitions out of the issue's status: the classic workflow, or every status in a simplified project."""
    if site.is_simplified(issue.project):
        return [_global(site, number, status) for number, status in enumerate(site.store.statuses, 1)]
    return [step for step in site.store.transitions if step.source == issue.values["status"]]


def _global(site: "Site", number: int, status_id: str) -> Transition:
    status = site.store.statuses[status_id]
    resolution = seed.RESOLUTION_DONE if status.category.key == "done" else None
    return Transition(f"{number}1", status.name, None, status_id, sets=(("resolution", resolution),))


def is_closed(issue: Issue) -> bool:
    return bool(issue.values["status"] == seed.CLOSED)


def is_locked(site: "Site", issue: Issue) -> bool:
    """Whether the status forbids edits and files: the closed one does unless the site says otherwise."""
    return issue.is_archived or (is_closed(issue) and not site.settings.closed_is_editable)


def is_on_screen(site: "Site", spec: FieldSpec) -> bool:
    return spec.on_screen and spec.id not in site.settings.hidden_fields


def is_editable(site: "Site", issue: Issue, spec: FieldSpec) -> bool:
    if spec.id == "comment":
        return not is_closed(issue) or site.settings.closed_takes_comments
    return is_on_screen(site, spec) and not is_locked(site, issue)
