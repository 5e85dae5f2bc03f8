"""The site that every fresh start and every reset begins with, and its demo credentials."""

from .state import Category, FieldSpec, LinkType, Named, Project, Status, Store, Transition, User

SYNC_EMAIL, SYNC_NAME, SYNC_TOKEN = "siam-sync@infinity.example", "siam-sync", "jira-sync-token"
ELAINE_EMAIL, ELAINE_NAME, ELAINE_TOKEN = "elaine@infinity.example", "elaine", "jira-elaine-token"
JOHN_EMAIL, JOHN_NAME, JOHN_TOKEN = "john@infinity.example", "john", "jira-john-token"
SYNC_ACCOUNT = "557058:0b5c1f6e-7d3a-4f0e-9c52-5a1d00000001"
ELAINE_ACCOUNT = "5f0c2a7be1d4c80069a1e002"
JOHN_ACCOUNT = "5f0c2a7be1d4c80069a1e003"

CLOUD_ID = "3f1d6c1e-52a4-4b7e-8a3f-0c9d71a2b001"
CLIENT_ID, CLIENT_SECRET = "jira-oauth-client", "jira-oauth-client-secret"
AUTHORIZATION_CODE = "jira-oauth-code"
ACCESS_TOKEN, REFRESH_TOKEN = "jira-oauth-access-token", "jira-oauth-refresh-token"

TO_DO, IN_PROGRESS, WAITING, IN_REVIEW, DONE, CLOSED = "10000", "3", "10003", "10004", "10002", "6"
PRIORITY_MEDIUM = "3"
RESOLUTION_DONE = "10000"
SITE, STAGE, CATEGORY, HUB_REFERENCE = (f"customfield_{number}" for number in (10031, 10032, 10033, 10034))
BUG, INCIDENT = "10004", "10010"

UNDEFINED_CATEGORY = Category(1, "undefined", "No Category", "medium-gray")
NEW = Category(2, "new", "To Do", "blue-gray")
INDETERMINATE = Category(4, "indeterminate", "In Progress", "yellow")
DONE_CATEGORY = Category(3, "done", "Done", "green")


def fill(store: Store) -> None:
    """Put the demo site into an empty ``store``; no issues."""
    _add_people(store)
    for project in (Project("10000", "OPS", "Operations"), Project("10001", "ARCH", "Architecture")):
        store.projects[project.key] = project
    types = ["Bug", "Task", "Story"]
    numbered = list(enumerate(types, 10004))
    numbered += enumerate((f"[System] {kind}" for kind in ("Incident", "Service request", "Problem", "Change")), 10010)
    store.issue_types = {str(number): Named(str(number), name) for number, name in numbered}
    priorities = enumerate(("Highest", "High", "Medium", "Low", "Lowest"), 1)
    store.priorities = {str(number): Named(str(number), name) for number, name in priorities}
    resolutions = enumerate(("Done", "Won't Do", "Duplicate", "Cannot Reproduce"), 10000)
    store.resolutions = {str(number): Named(str(number), name) for number, name in resolutions}
    store.link_types = {
        "10000": LinkType("10000", "Blocks", "is blocked by", "blocks"),
        "10003": LinkType("10003", "Relates", "relates to", "relates to"),
    }
    _add_workflow(store)
    store.fields = {spec.id: spec for spec in (*_system_fields(), *_custom_fields())}
    store.start_numbers(issue=10042, comment=10500, attachment=10100, change=20111, remote=10000, link=10200)


def _add_people(store: Store) -> None:
    people = (
        User(SYNC_ACCOUNT, SYNC_NAME, "JIRAUSER10100", SYNC_EMAIL, "SIAM sync", "Europe/Berlin", SYNC_TOKEN, True),
        User(ELAINE_ACCOUNT, ELAINE_NAME, "JIRAUSER10101", ELAINE_EMAIL, "Elaine", "Europe/Berlin", ELAINE_TOKEN),
        User(JOHN_ACCOUNT, JOHN_NAME, "JIRAUSER10102", JOHN_EMAIL, "John", "Europe/London", JOHN_TOKEN),
    )
    store.users = {person.account_id: person for person in people}


def _add_workflow(store: Store) -> None:
    statuses = (
        Status(TO_DO, "To Do", NEW),
        Status(IN_PROGRESS, "In Progress", INDETERMINATE),
        Status(WAITING, "Waiting for customer", INDETERMINATE),
        Status(IN_REVIEW, "In Review", INDETERMINATE),
        Status(DONE, "Done", DONE_CATEGORY),
        Status(CLOSED, "Closed", DONE_CATEGORY),
    )
    store.categories = {each.key: each for each in (UNDEFINED_CATEGORY, NEW, INDETERMINATE, DONE_CATEGORY)}
    store.statuses = {status.id: status for status in statuses}
    store.transitions = [
        Transition("11", "Start progress", TO_DO, IN_PROGRESS),
        Transition("21", "Wait for customer", IN_PROGRESS, WAITING),
        Transition("22", "Customer answered", WAITING, IN_PROGRESS),
        Transition("31", "Done", IN_PROGRESS, DONE, screen=("resolution",), required=("resolution",)),
        Transition("41", "Ask for review", IN_PROGRESS, IN_REVIEW),
        Transition("51", "Approve", IN_REVIEW, DONE, sets=(("resolution", RESOLUTION_DONE),)),
        Transition("61", "Reopen", DONE, IN_PROGRESS, sets=(("resolution", None),)),
        Transition("71", "Close", DONE, CLOSED),
    ]


def _system_fields() -> tuple[FieldSpec, ...]:
    return (
        FieldSpec("issuetype", "Issue Type", "issuetype", on_screen=True),
        FieldSpec("project", "Project", "project"),
        FieldSpec("summary", "Summary", "string", on_screen=True),
        FieldSpec("description", "Description", "text", on_screen=True),
        FieldSpec("environment", "Environment", "text", on_screen=True),
        FieldSpec("priority", "Priority", "priority", on_screen=True),
        FieldSpec("labels", "Labels", "labels", on_screen=True, operations=("add", "set", "remove")),
        FieldSpec("assignee", "Assignee", "user", on_screen=True),
        FieldSpec("reporter", "Reporter", "user", on_screen=True),
        FieldSpec("duedate", "Due date", "date", on_screen=True),
        FieldSpec("status", "Status", "status", operations=()),
        FieldSpec("resolution", "Resolution", "resolution"),
        FieldSpec("resolutiondate", "Resolved", "datetime", operations=()),
        FieldSpec("creator", "Creator", "user", operations=()),
        FieldSpec("created", "Created", "datetime", operations=()),
        FieldSpec("updated", "Updated", "datetime", operations=()),
        FieldSpec("statuscategorychangedate", "Status Category Changed", "datetime", operations=()),
        FieldSpec("issuelinks", "Linked Issues", "issuelinks", operations=()),
        FieldSpec("subtasks", "Sub-tasks", "issuelinks", operations=()),
        FieldSpec("attachment", "Attachment", "attachment", operations=(), navigable=False),
        FieldSpec("comment", "Comment", "comment", operations=("add", "edit", "remove"), navigable=False),
    )


def _custom_fields() -> tuple[FieldSpec, ...]:
    sites = (Named("10200", "Berlin"), Named("10201", "Paris"), Named("10202", "London"))
    names = ("design", "change request", "bug", "network")
    categories = tuple(Named(str(number), name) for number, name in enumerate(names, 10210))
    return (
        FieldSpec(SITE, "Site", "option", on_screen=True, custom="select", options=sites),
        FieldSpec(STAGE, "Deployment stage", "string", on_screen=True, custom="textfield"),
        FieldSpec(CATEGORY, "Category", "option", on_screen=True, custom="select", options=categories),
        FieldSpec(HUB_REFERENCE, "Hub reference", "string", on_screen=True, custom="textfield"),
    )
