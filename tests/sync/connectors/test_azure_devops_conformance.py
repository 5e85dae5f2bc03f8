"""The Azure DevOps connector against the conformance suite, with the Azure DevOps sandbox behind it."""

from dataclasses import replace

from .azure_devops_project import AzureDevOpsUnderTest
from .conformance import ConnectorConformance, LongWayConformance


class TestAzureDevOpsConformance(ConnectorConformance):
    def make_system(self) -> AzureDevOpsUnderTest:
        return AzureDevOpsUnderTest()


class StoriesUnderTest(AzureDevOpsUnderTest):
    """The user stories of the same project: they are resolved only when they have been active."""

    vocabulary = replace(AzureDevOpsUnderTest.vocabulary, type="User Story")


class TestAzureDevOpsLongWay(LongWayConformance):
    def make_system(self) -> StoriesUnderTest:
        return StoriesUnderTest()
