"""The Azure DevOps connector against the conformance suite, with the Azure DevOps sandbox behind it."""

from .azure_devops_project import AzureDevOpsUnderTest
from .conformance import ConnectorConformance


class TestAzureDevOpsConformance(ConnectorConformance):
    def make_system(self) -> AzureDevOpsUnderTest:
        return AzureDevOpsUnderTest()
