"""Every sandbox by the name under which it is started."""

from .azure_devops.sandbox import AzureDevOpsSandbox
from .jira.sandbox import JiraSandbox
from .server import Sandbox
from .servicenow.sandbox import ServiceNowSandbox
from .zendesk.sandbox import ZendeskSandbox

SANDBOXES: dict[str, type[Sandbox]] = {
    "jira": JiraSandbox,
    "servicenow": ServiceNowSandbox,
    "azure_devops": AzureDevOpsSandbox,
    "zendesk": ZendeskSandbox,
}
