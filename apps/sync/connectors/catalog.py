"""Every kind of system that can be connected, by name."""

from typing import TypeAlias

from .azure_devops.connector import AzureDevOpsConnector
from .jira.connector import JiraConnector
from .servicenow.connector import ServiceNowConnector
from .zendesk.connector import ZendeskConnector

ConnectorClass: TypeAlias = (
    type[JiraConnector] | type[ServiceNowConnector] | type[AzureDevOpsConnector] | type[ZendeskConnector]
)

CONNECTORS: dict[str, ConnectorClass] = {
    "jira": JiraConnector,
    "servicenow": ServiceNowConnector,
    "azure_devops": AzureDevOpsConnector,
    "zendesk": ZendeskConnector,
}
