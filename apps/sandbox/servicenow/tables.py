"""The tables of a default instance, reduced to the columns that integrations meet."""

from .schema import TASK, Column, Table


def text(name: str, label: str, length: int = 40, default: str = "") -> Column:
    return Column(name, label, length=length, default=default)


def number(name: str, label: str, default: str = "") -> Column:
    return Column(name, label, "integer", default=default)


def flag(name: str, label: str, default: str = "false") -> Column:
    return Column(name, label, "boolean", default=default)


def moment(name: str, label: str) -> Column:
    return Column(name, label, "glide_date_time")


def journal(name: str, label: str) -> Column:
    return Column(name, label, "journal_input", 4000)


def link(name: str, label: str, table: str) -> Column:
    return Column(name, label, "reference", 32, reference=table)


def pick(name: str, label: str, default: str = "", mandatory: bool = False, kind: str = "string") -> Column:
    return Column(name, label, kind, has_choices=True, default=default, mandatory=mandatory)


TASK_COLUMNS = (
    text("number", "Number"),
    text("short_description", "Short description", 160),
    text("description", "Description", 4000),
    pick("state", "State", "1", True, "integer"),
    pick("impact", "Impact", "3", True, "integer"),
    pick("urgency", "Urgency", "3", True, "integer"),
    pick("priority", "Priority", "4", True, "integer"),
    flag("active", "Active", "true"),
    pick("contact_type", "Channel"),
    moment("opened_at", "Opened"),
    link("opened_by", "Opened by", "sys_user"),
    link("assignment_group", "Assignment group", "sys_user_group"),
    link("assigned_to", "Assigned to", "sys_user"),
    link("company", "Company", "core_company"),
    link("location", "Location", "cmn_location"),
    link("cmdb_ci", "Configuration item", "cmdb_ci"),
    link("business_service", "Service", "cmdb_ci"),
    link("parent", "Parent", TASK),
    journal("comments", "Additional comments"),
    journal("work_notes", "Work notes"),
    Column("comments_and_work_notes", "Comments and Work notes", "journal_list", 4000),
    text("close_notes", "Close notes", 4000),
    moment("closed_at", "Closed"),
    link("closed_by", "Closed by", "sys_user"),
    text("correlation_id", "Correlation ID", 100),
    text("correlation_display", "Correlation display", 100),
    moment("due_date", "Due date"),
    moment("follow_up", "Follow up"),
    moment("expected_start", "Expected start"),
    moment("work_start", "Actual start"),
    moment("work_end", "Actual end"),
    moment("activity_due", "Activity due"),
    moment("sla_due", "SLA due"),
    flag("made_sla", "Made SLA", "true"),
    flag("knowledge", "Knowledge"),
    pick("approval", "Approval", "not requested"),
    pick("escalation", "Escalation", "0", kind="integer"),
    number("reassignment_count", "Reassignment count", "0"),
    number("order", "Order"),
    Column("watch_list", "Watch list", "glide_list", 4000),
    Column("work_notes_list", "Work notes list", "glide_list", 4000),
    Column("additional_assignee_list", "Additional assignee list", "glide_list", 4000),
    text("delivery_plan", "Delivery plan", 32),
    text("time_worked", "Time worked"),
    text("upon_approval", "Upon approval", default="proceed"),
    text("upon_reject", "Upon reject", default="cancel"),
    text("task_effective_number", "Effective number"),
    Column("sys_class_name", "Task type", "sys_class_name", 80),
    Column("sys_domain", "Domain", "domain_id", 32, default="global"),
    Column("sys_domain_path", "Domain Path", "domain_path", 255, default="/"),
    pick("u_site", "Site"),
    text("u_deployment_stage", "Deployment stage", 40),
    pick("u_category", "Hub category"),
    text("u_hub_reference", "Hub reference", 40),
)
INCIDENT_COLUMNS = (
    pick("incident_state", "Incident state", "1", True, "integer"),
    pick("hold_reason", "On hold reason", kind="integer"),
    pick("severity", "Severity", "3", True, "integer"),
    pick("category", "Category", "inquiry"),
    pick("subcategory", "Subcategory"),
    link("caller_id", "Caller", "sys_user"),
    pick("close_code", "Resolution code"),
    text("close_notes", "Resolution notes", 4000),
    moment("resolved_at", "Resolved"),
    link("resolved_by", "Resolved by", "sys_user"),
    number("reopen_count", "Reopen count", "0"),
    moment("reopened_time", "Last reopened at"),
    link("reopened_by", "Last reopened by", "sys_user"),
    number("child_incidents", "Child Incidents", "0"),
    link("parent_incident", "Parent Incident", "incident"),
    link("problem_id", "Problem", "problem"),
    link("caused_by", "Caused by Change", "change_request"),
    link("rfc", "Change Request", "change_request"),
    pick("notify", "Notify", "1", kind="integer"),
    text("business_stc", "Business resolve time"),
    text("calendar_stc", "Resolve time"),
    text("cause", "Probable cause", 4000),
)
PROBLEM_COLUMNS = (
    pick("state", "State", "101", True, "integer"),
    pick("problem_state", "Problem state", "101", True, "integer"),
    text("cause_notes", "Cause notes", 4000),
    text("fix_notes", "Fix notes", 4000),
    text("workaround", "Workaround", 4000),
    flag("known_error", "Known error"),
    moment("resolved_at", "Resolved"),
    link("resolved_by", "Resolved by", "sys_user"),
    pick("resolution_code", "Resolution code"),
    link("first_reported_by_task", "First reported by", TASK),
    link("rfc", "Change request", "change_request"),
)
CHANGE_COLUMNS = (
    pick("state", "State", "-5", True, "integer"),
    pick("type", "Type", "normal"),
    pick("risk", "Risk", "3", kind="integer"),
    link("requested_by", "Requested by", "sys_user"),
    moment("start_date", "Planned start date"),
    moment("end_date", "Planned end date"),
    text("justification", "Justification", 4000),
    text("implementation_plan", "Implementation plan", 4000),
    text("backout_plan", "Backout plan", 4000),
    text("test_plan", "Test plan", 4000),
    pick("close_code", "Close code"),
)
REQUEST_TASK_COLUMNS = (
    text("request", "Request", 32),
    text("request_item", "Request item", 32),
    link("requested_for", "Requested for", "sys_user"),
)
USER_COLUMNS = (
    text("user_name", "User ID"),
    text("name", "Name", 151),
    text("first_name", "First name", 50),
    text("last_name", "Last name", 50),
    text("email", "Email", 100),
    text("title", "Title", 60),
    flag("active", "Active", "true"),
    flag("locked_out", "Locked out"),
    flag("web_service_access_only", "Web service access only"),
    text("time_zone", "Time zone"),
    text("preferred_language", "Language", 3),
    link("company", "Company", "core_company"),
    Column("user_password", "Password", "password", 255),
    Column("roles", "Roles", "user_roles", 255),
)
ATTACHMENT_COLUMNS = (
    text("file_name", "File name", 100),
    text("table_name", "Table name", 80),
    text("table_sys_id", "Table sys ID", 32),
    text("content_type", "Content type", 100),
    number("size_bytes", "Size bytes"),
    number("size_compressed", "Size compressed"),
    flag("compressed", "Compressed", "true"),
    text("state", "State", 40, "available"),
    text("hash", "Hash", 64),
    text("average_image_color", "Average image color"),
    text("image_width", "Image width"),
    text("image_height", "Image height"),
    text("chunk_size_bytes", "Chunk size bytes"),
)
DICTIONARY_COLUMNS = (
    text("name", "Table", 80),
    text("element", "Column name", 80),
    text("column_label", "Column label", 80),
    text("internal_type", "Type"),
    number("max_length", "Max length"),
    flag("mandatory", "Mandatory"),
    flag("read_only", "Read only"),
    flag("display", "Display"),
    flag("active", "Active", "true"),
    text("reference", "Reference", 80),
    text("choice", "Choice"),
    text("default_value", "Default value", 255),
)
CHOICE_COLUMNS = (
    text("name", "Table", 80),
    text("element", "Element", 80),
    text("value", "Value"),
    text("label", "Label", 100),
    number("sequence", "Sequence"),
    flag("inactive", "Inactive"),
    text("language", "Language", 3, "en"),
    text("dependent_value", "Dependent value"),
)
AUDIT_COLUMNS = (
    text("tablename", "Table name", 80),
    text("documentkey", "Document key", 32),
    text("fieldname", "Field name", 80),
    text("oldvalue", "Old value", 4000),
    text("newvalue", "New value", 4000),
    number("record_checkpoint", "Update count"),
    text("user", "User"),
    text("reason", "Reason"),
)
DELETION_COLUMNS = (
    text("tablename", "Table name", 80),
    text("documentkey", "Document key", 32),
    text("display_value", "Display value", 255),
    text("user", "User"),
)
JOURNAL_COLUMNS = (
    text("element", "Element", 80),
    text("element_id", "Element ID", 32),
    text("name", "Name", 80),
    text("value", "Value", 1_000_000),
)
LABEL_COLUMNS = (
    text("name", "Table", 80),
    text("element", "Element", 80),
    text("label", "Label", 80),
    text("plural", "Plural", 80),
    text("language", "Language", 3),
)
RATE_RULE_COLUMNS = (
    text("name", "Name", 100),
    pick("type", "Type", "all"),
    link("user", "User", "sys_user"),
    text("role", "Role", 100),
    text("resource", "REST resource", 100, "Table API"),
    number("request_limit", "Request limit per hour"),
    flag("active", "Active", "true"),
)
TARGET_COLUMNS = (
    text("url", "URL", 1024),
    Column("secret", "Secret", "password2", 255),
    text("table", "Table", 80),
    flag("active", "Active", "true"),
)
NAME = (text("name", "Name", 100),)
GROUP_COLUMNS = (*NAME, text("description", "Description", 1000), flag("active", "Active", "true"))
MEMBER_COLUMNS = (link("user", "User", "sys_user"), link("group", "Group", "sys_user_group"))
TICKET_INDEXES = ("correlation_id", "number")

TABLES = (
    Table(TASK, "Task", TASK_COLUMNS, display="number", indexed=TICKET_INDEXES),
    Table("incident", "Incident", INCIDENT_COLUMNS, TASK, "number", "INC", 10001, TICKET_INDEXES),
    Table("problem", "Problem", PROBLEM_COLUMNS, TASK, "number", "PRB", 40001, TICKET_INDEXES),
    Table("change_request", "Change Request", CHANGE_COLUMNS, TASK, "number", "CHG", 30001, TICKET_INDEXES),
    Table("sc_task", "Catalog Task", REQUEST_TASK_COLUMNS, TASK, "number", "SCTASK", 10001, TICKET_INDEXES),
    Table("sys_user", "User", USER_COLUMNS, display="name", indexed=("user_name", "email")),
    Table("sys_user_group", "Group", GROUP_COLUMNS, display="name"),
    Table("sys_user_grmember", "Group Member", MEMBER_COLUMNS),
    Table("sys_journal_field", "Journal Entry", JOURNAL_COLUMNS, indexed=("element_id",), is_log=True),
    Table("sys_attachment", "Attachment", ATTACHMENT_COLUMNS, display="file_name", indexed=("table_sys_id",)),
    Table("sys_dictionary", "Dictionary Entry", DICTIONARY_COLUMNS, display="element"),
    Table(
        "sys_dictionary_override",
        "Dictionary Entry Override",
        (text("name", "Table", 80), text("element", "Column name", 80), text("base_table", "Base table", 80)),
    ),
    Table("sys_documentation", "Field Label", LABEL_COLUMNS, display="label"),
    Table("sys_choice", "Choice", CHOICE_COLUMNS, display="label"),
    Table(
        "sys_db_object",
        "Table",
        (
            text("name", "Name", 80),
            text("label", "Label", 80),
            link("super_class", "Extends table", "sys_db_object"),
        ),
        display="label",
    ),
    Table("sys_properties", "System Property", (*NAME, text("value", "Value", 4000)), display="name"),
    Table("sys_audit", "Audit", AUDIT_COLUMNS, indexed=("documentkey",), is_log=True),
    Table("sys_audit_delete", "Audit Deleted Record", DELETION_COLUMNS, indexed=("documentkey",), is_log=True),
    Table(
        "dl_u_priority",
        "Priority Data Lookup",
        (
            text("impact", "Impact"),
            text("urgency", "Urgency"),
            text("priority", "Priority"),
        ),
    ),
    Table("sys_rate_limit_rules", "Rate Limit Rule", RATE_RULE_COLUMNS, display="name"),
    Table("core_company", "Company", NAME, display="name"),
    Table("cmn_location", "Location", NAME, display="name"),
    Table("cmdb_ci", "Configuration Item", NAME, display="name"),
    Table("x_siam_notice_target", "SIAM Notice Target", TARGET_COLUMNS, display="url"),
)
