"""What describes tickets: fields, forms, brands, custom statuses, account settings."""

from .account import Account
from .call import Answer, Call, Route
from .errors import Json, invalid, no_endpoint, not_found
from .paging import page_of
from .present import custom_status_json, ticket_field_json
from .records import STATUSES, CustomStatus, TicketField, stamp
from .seed import CREATED_AT

CUSTOM_TYPES = frozenset(
    [
        "text",
        "textarea",
        "checkbox",
        "date",
        "integer",
        "decimal",
        "regexp",
        "partialcreditcard",
        "tagger",
        "multiselect",
        "lookup",
    ]
)


def list_fields(call: Call) -> Answer:
    def present(item: TicketField) -> Json:
        return ticket_field_json(call.account, item)

    hidden = set() if call.account.settings.type_enabled else {"tickettype"}
    rows = [item for item in call.account.fields.values() if item.type not in hidden]
    return Answer(body=page_of(call, "ticket_fields", rows, key=lambda item: (item.id,), present=present))


def _field(call: Call) -> TicketField:
    item = call.account.fields.get(call.number("id"))
    if item is None:
        raise not_found()
    return item


def show_field(call: Call) -> Answer:
    return Answer(body={"ticket_field": ticket_field_json(call.account, _field(call))})


def create_field(call: Call) -> Answer:
    data, account = call.wrapped("ticket_field"), call.account
    if str(data.get("type")) not in CUSTOM_TYPES:
        raise invalid("type", "Type: is not included in the list")
    if not data.get("title"):
        raise invalid("title", "Title: cannot be blank", "BlankValue")
    item = TicketField(account.new_id(), data["type"], data["title"], account.now())
    _change(item, data)
    account.fields[item.id] = item
    return Answer(201, {"ticket_field": ticket_field_json(account, item)})


def change_field(call: Call) -> Answer:
    item = _field(call)
    _change(item, call.wrapped("ticket_field"))
    return Answer(body={"ticket_field": ticket_field_json(call.account, item)})


def _change(item: TicketField, data: Json) -> None:
    item.title = str(data.get("title", item.title))
    item.required = bool(data.get("required", item.required))
    item.active = bool(data.get("active", item.active))
    item.tag = data.get("tag", item.tag)
    item.pattern = data.get("regexp_for_validation", item.pattern)
    options = data.get("custom_field_options")
    if isinstance(options, list):
        wrong = any(" " in str(option.get("value", "")) or not option.get("name") for option in options)
        if wrong:
            raise invalid("custom_field_options", "Options: each needs a name and a value without spaces")
        item.options = {str(option["value"]).lower(): option["name"] for option in options}


def remove_field(call: Call) -> Answer:
    item = _field(call)
    if item.system:
        raise invalid("base", "Ticket field: system fields cannot be deleted")
    del call.account.fields[item.id]
    return Answer(204)


def form_json(account: Account) -> Json:
    at = stamp(CREATED_AT)
    return {
        "id": account.form_id, "url": f"{account.origin()}/api/v2/ticket_forms/{account.form_id}.json",
        "name": "Default Ticket Form", "raw_name": "Default Ticket Form", "display_name": "Default Ticket Form",
        "raw_display_name": "Default Ticket Form", "end_user_visible": True, "position": 1,
        "ticket_field_ids": [item.id for item in account.fields.values()], "active": True, "default": True,
        "in_all_brands": True, "restricted_brand_ids": [], "end_user_conditions": [], "agent_conditions": [],
        "created_at": at, "updated_at": at, "deleted_at": None,
    }  # fmt: skip


def list_forms(call: Call) -> Answer:
    rows = [form_json(call.account)]
    return Answer(body=page_of(call, "ticket_forms", rows, key=lambda row: (row["id"],), present=lambda row: row))


def show_form(call: Call) -> Answer:
    if call.number("id") != call.account.form_id:
        raise not_found()
    return Answer(body={"ticket_form": form_json(call.account)})


def brand_json(account: Account) -> Json:
    at = stamp(CREATED_AT)
    return {
        "id": account.brand_id, "url": f"{account.origin()}/api/v2/brands/{account.brand_id}.json",
        "name": "Mercuri", "brand_url": account.origin(), "subdomain": "mercuri", "host_mapping": None,
        "has_help_center": False, "help_center_state": "disabled", "active": True, "default": True,
        "is_deleted": False, "logo": None, "ticket_form_ids": [account.form_id],
        "signature_template": "{{agent.signature}}", "created_at": at, "updated_at": at,
    }  # fmt: skip


def list_brands(call: Call) -> Answer:
    rows = [brand_json(call.account)]
    return Answer(body=page_of(call, "brands", rows, key=lambda row: (row["id"],), present=lambda row: row))


def show_brand(call: Call) -> Answer:
    if call.number("id") != call.account.brand_id:
        raise not_found()
    return Answer(body={"brand": brand_json(call.account)})


def _statuses(account: Account) -> dict[int, CustomStatus]:
    """Raises the 404 of an endpoint that does not exist when the feature is off."""
    if not account.settings.custom_statuses_enabled:
        raise no_endpoint()
    return account.custom_statuses


def list_statuses(call: Call) -> Answer:
    """Not paged."""
    wanted = call.query.get("status_categories")
    shown = [
        custom_status_json(call.account, item)
        for item in _statuses(call.account).values()
        if wanted is None or item.category in wanted.split(",")
    ]
    return Answer(body={"custom_statuses": shown})


def show_status(call: Call) -> Answer:
    item = _statuses(call.account).get(call.number("id"))
    if item is None:
        raise not_found()
    return Answer(body={"custom_status": custom_status_json(call.account, item)})


def create_status(call: Call) -> Answer:
    data, held = call.wrapped("custom_status"), _statuses(call.account)
    category = data.get("status_category")
    if category not in STATUSES[:-1] or not data.get("agent_label"):
        raise invalid("status_category", "Status category: is not included in the list")
    item = CustomStatus(call.account.new_id(), category, data["agent_label"], False, call.account.now())
    held[item.id] = item
    return Answer(201, {"custom_status": custom_status_json(call.account, item)})


def settings(call: Call) -> Answer:
    switches = call.account.settings
    body: Json = {
        "active_features": {"on_hold_status": switches.hold_enabled, "ticket_forms": True, "ticket_tagging": True,
                            "user_tagging": True, "markdown": True, "sandbox": False},
        "api": {"accepted_api_agreement": True, "api_password_access": "false",
                "api_token_access": "false" if switches.tokens_retired else "true"},
        "brands": {"default_brand_id": call.account.brand_id, "require_brand_on_new_tickets": False},
        "limits": {"attachment_size": switches.attachment_bytes},
        "localization": {"locale_ids": [1]},
        "rule": {"macro_most_used": True, "macro_order": "alphabetical"},
        "tickets": {
            "custom_statuses_enabled": switches.custom_statuses_enabled, "comments_public_by_default": True,
            "is_first_comment_private_enabled": True, "markdown_ticket_comments": True, "tagging": True,
            "private_attachments": switches.private_attachments, "rich_text_comments": True, "collaboration": True,
            "maximum_personal_views_to_list": 8,
        },
        "user": {"tagging": True, "time_zone_selection": True, "language_selection": True},
    }  # fmt: skip
    return Answer(body={"settings": body})


ROUTES = [
    Route("GET", "ticket_fields", list_fields),
    Route("POST", "ticket_fields", create_field, role="admin"),
    Route("GET", "ticket_fields/{id}", show_field),
    Route("PUT", "ticket_fields/{id}", change_field, role="admin"),
    Route("DELETE", "ticket_fields/{id}", remove_field, role="admin"),
    Route("GET", "ticket_forms", list_forms),
    Route("GET", "ticket_forms/{id}", show_form),
    Route("GET", "brands", list_brands),
    Route("GET", "brands/{id}", show_brand),
    Route("GET", "custom_statuses", list_statuses),
    Route("POST", "custom_statuses", create_status, role="admin"),
    Route("GET", "custom_statuses/{id}", show_status),
    Route("GET", "account/settings", settings, role="admin"),
]
