"""What a fresh instance holds: demo accounts, groups, choices, dictionary and properties. The same after each reset."""

from hashlib import md5

from .instance import Instance, Row
from .schema import Column

SYNC_USER, SYNC_PASSWORD = "siam.sync", "snow-sync-password"
JOHN, JOHN_PASSWORD = "john", "snow-john-password"
ELAINE, ELAINE_PASSWORD = "elaine", "snow-elaine-password"
ADMIN_USER, ADMIN_PASSWORD = "admin", "snow-admin-password"
CLIENT_ID, CLIENT_SECRET = "siamportal", "snow-client-secret"
SYNC_API_KEY = "now_snowsandboxsynckey00000000000000000000000001"
API_KEYS = {SYNC_API_KEY: SYNC_USER}
MFA_CODE = "314159"
SEEDED_ON = "2026-01-05 08:00:00"

GROUPS = ("Solution Architecture", "Service Desk")
SYNC_ROLES = "itil,sn_incident_write,audit_viewer,personalize_dictionary,x_siam.admin"
USERS = (
    (SYNC_USER, "SIAM Sync", SYNC_PASSWORD, SYNC_ROLES, "GMT", ()),
    (JOHN, "John", JOHN_PASSWORD, "itil", "Europe/Berlin", ("Solution Architecture",)),
    (ELAINE, "Elaine", ELAINE_PASSWORD, "itil", "Europe/London", ("Solution Architecture", "Service Desk")),
    (ADMIN_USER, "System Administrator", ADMIN_PASSWORD, "admin", "GMT", ()),
)

Choice = tuple[str, str] | tuple[str, str, str]
THREE_STEPS: tuple[Choice, ...] = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
CLOSE_CODES = (
    "Duplicate",
    "Known error",
    "No resolution provided",
    "Resolved by caller",
    "Resolved by change",
    "Resolved by problem",
    "Resolved by request",
    "Solution provided",
    "Workaround provided",
)
INCIDENT_STATES: tuple[Choice, ...] = (
    ("1", "New"),
    ("2", "In Progress"),
    ("3", "On Hold"),
    ("6", "Resolved"),
    ("7", "Closed"),
    ("8", "Canceled"),
)
PROBLEM_STATES: tuple[Choice, ...] = (
    ("101", "New"),
    ("102", "Assess"),
    ("103", "Root Cause Analysis"),
    ("104", "Fix in Progress"),
    ("106", "Resolved"),
    ("107", "Closed"),
)
CHOICES: dict[tuple[str, str], tuple[Choice, ...]] = {
    ("task", "state"): (
        ("-5", "Pending"),
        ("1", "Open"),
        ("2", "Work in Progress"),
        ("3", "Closed Complete"),
        ("4", "Closed Incomplete"),
        ("7", "Closed Skipped"),
    ),
    ("task", "impact"): THREE_STEPS,
    ("task", "urgency"): THREE_STEPS,
    ("task", "priority"): (
        ("1", "1 - Critical"),
        ("2", "2 - High"),
        ("3", "3 - Moderate"),
        ("4", "4 - Low"),
        ("5", "5 - Planning"),
    ),
    ("task", "contact_type"): (
        ("chat", "Chat"),
        ("email", "Email"),
        ("phone", "Phone"),
        ("monitoring", "Monitoring"),
        ("self-service", "Self-service"),
        ("virtual_agent", "Virtual Agent"),
        ("walk-in", "Walk-in"),
    ),
    ("task", "approval"): (
        ("not requested", "Not Yet Requested"),
        ("requested", "Requested"),
        ("approved", "Approved"),
        ("rejected", "Rejected"),
    ),
    ("task", "escalation"): (("0", "Normal"), ("1", "Moderate"), ("2", "High"), ("3", "Overdue")),
    ("task", "u_site"): (("berlin", "Berlin"), ("paris", "Paris"), ("london", "London")),
    ("task", "u_category"): (
        ("design", "Design"),
        ("change_request", "Change request"),
        ("bug", "Bug"),
        ("network", "Network"),
    ),
    ("incident", "state"): INCIDENT_STATES,
    ("incident", "incident_state"): INCIDENT_STATES,
    ("incident", "hold_reason"): (
        ("1", "Awaiting Caller"),
        ("3", "Awaiting Problem"),
        ("4", "Awaiting Vendor"),
        ("5", "Awaiting Change"),
    ),
    ("incident", "severity"): THREE_STEPS,
    ("incident", "category"): (
        ("inquiry", "Inquiry / Help"),
        ("software", "Software"),
        ("hardware", "Hardware"),
        ("network", "Network"),
        ("database", "Database"),
    ),
    ("incident", "subcategory"): (
        ("antivirus", "Antivirus", "inquiry"),
        ("email", "Email", "software"),
        ("os", "Operating System", "software"),
        ("cpu", "CPU", "hardware"),
        ("disk", "Disk", "hardware"),
        ("vpn", "VPN", "network"),
        ("dns", "DNS", "network"),
        ("wireless", "Wireless", "network"),
        ("oracle", "Oracle", "database"),
        ("sql server", "SQL Server", "database"),
    ),
    ("incident", "close_code"): tuple((code, code) for code in CLOSE_CODES),
    ("incident", "notify"): (("1", "Do Not Notify"), ("2", "Send Email"), ("3", "Phone")),
    ("problem", "state"): PROBLEM_STATES,
    ("problem", "problem_state"): PROBLEM_STATES,
    ("problem", "resolution_code"): (
        ("fix_applied", "Fix Applied"),
        ("risk_accepted", "Risk Accepted"),
        ("duplicate", "Duplicate"),
        ("canceled", "Canceled"),
    ),
    ("change_request", "state"): (
        ("-5", "New"),
        ("-4", "Assess"),
        ("-3", "Authorize"),
        ("-2", "Scheduled"),
        ("-1", "Implement"),
        ("0", "Review"),
        ("3", "Closed"),
        ("4", "Canceled"),
    ),
    ("change_request", "type"): (("normal", "Normal"), ("standard", "Standard"), ("emergency", "Emergency")),
    ("change_request", "risk"): (("2", "High"), ("3", "Moderate"), ("4", "Low")),
    ("change_request", "close_code"): (
        ("successful", "Successful"),
        ("successful_issues", "Successful with issues"),
        ("unsuccessful", "Unsuccessful"),
    ),
    ("sys_rate_limit_rules", "type"): (("user", "User"), ("role", "Role"), ("all", "All users")),
}
PRIORITIES = {
    ("1", "1"): "1",
    ("1", "2"): "2",
    ("1", "3"): "3",
    ("2", "1"): "2",
    ("2", "2"): "3",
    ("2", "3"): "4",
    ("3", "1"): "3",
    ("3", "2"): "4",
    ("3", "3"): "5",
}


def seeded_id(*words: str) -> str:
    """A sys_id that stays the same over restarts, for everything that a fresh instance already holds."""
    return md5("/".join(words).encode(), usedforsecurity=False).hexdigest()


def populate(instance: Instance) -> None:
    _add(instance, "core_company", "Infinity Projects", name="Infinity Projects")
    _add(instance, "cmn_location", "Berlin", name="Berlin")
    _add(instance, "cmdb_ci", "Web shop", name="Web shop")
    for group in GROUPS:
        _add(instance, "sys_user_group", group, name=group)
    for user_name, name, password, roles, zone, groups in USERS:
        _add_user(instance, user_name, name, password=password, roles=roles, zone=zone)
        for group in groups:
            _add(
                instance,
                "sys_user_grmember",
                user_name,
                group,
                user=seeded_id("sys_user", user_name),
                group=seeded_id("sys_user_group", group),
            )
    for (impact, urgency), priority in PRIORITIES.items():
        _add(instance, "dl_u_priority", impact, urgency, impact=impact, urgency=urgency, priority=priority)
    _add_choices(instance)
    _add_dictionary(instance)
    properties = {
        "instance_name": instance.settings.instance_name,
        "glide.war": "glide-australia-02-11-2026__patch4-09-20-2026_09-24-2026_1106.zip",
        "glide.buildname": "Australia",
        "glide.buildtag.last": "glide-australia-02-11-2026__patch4-09-20-2026",
    }
    for name, value in properties.items():
        _add(instance, "sys_properties", name, name=name, value=value)


def _add_user(instance: Instance, user_name: str, name: str, *, password: str, roles: str, zone: str) -> None:
    first, _, last = name.partition(" ")
    _add(
        instance,
        "sys_user",
        user_name,
        user_name=user_name,
        name=name,
        first_name=first,
        last_name=last,
        email=f"{user_name}@infinity-projects.example",
        time_zone=zone,
        user_password=password,
        roles=roles,
        preferred_language="en",
        company=seeded_id("core_company", "Infinity Projects"),
        web_service_access_only="true" if user_name == SYNC_USER else "false",
    )


def _add_choices(instance: Instance) -> None:
    for (table, element), choices in CHOICES.items():
        for sequence, (value, label, *dependent) in enumerate(choices):
            _add(
                instance,
                "sys_choice",
                table,
                element,
                value,
                name=table,
                element=element,
                value=value,
                label=label,
                sequence=str(sequence),
                inactive="false",
                language="en",
                dependent_value="".join(dependent),
            )


def _add_dictionary(instance: Instance) -> None:
    for table in instance.schema.tables.values():
        parent = seeded_id("sys_db_object", table.extends) if table.extends else ""
        _add(instance, "sys_db_object", table.name, name=table.name, label=table.label, super_class=parent)
        _add(
            instance,
            "sys_dictionary",
            table.name,
            "",
            name=table.name,
            internal_type="collection",
            column_label=table.label,
        )
        for column in instance.schema.own_columns(table.name):
            _add(instance, "sys_dictionary", table.name, column.name, **dictionary_entry(table.name, column))
            _add(
                instance,
                "sys_documentation",
                table.name,
                column.name,
                name=table.name,
                element=column.name,
                label=column.label,
                plural=column.label,
                language="en",
            )


def dictionary_entry(table: str, column: Column) -> Row:
    return {
        "name": table,
        "element": column.name,
        "column_label": column.label,
        "internal_type": column.kind,
        "max_length": str(column.length),
        "mandatory": str(column.mandatory).lower(),
        "read_only": str(column.name.startswith("sys_")).lower(),
        "active": "true",
        "reference": column.reference,
        "choice": "3" if column.has_choices and column.mandatory else "1" if column.has_choices else "",
        "default_value": column.default,
    }


def _add(instance: Instance, table: str, *key: str, **values: str) -> None:
    row = {name: column.default for name, column in instance.schema.columns(table).items()}
    row |= {
        "sys_id": seeded_id(table, *key),
        "sys_created_on": SEEDED_ON,
        "sys_created_by": "system",
        "sys_updated_on": SEEDED_ON,
        "sys_updated_by": "system",
        "sys_mod_count": "0",
    }
    instance.shelves[table].add(row | values)
