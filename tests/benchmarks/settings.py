"""The portal's settings, and every database query counted: for the processes that are measured."""

from siamportal.settings import *  # noqa: F403
from siamportal.settings import INSTALLED_APPS as PORTAL_APPS

INSTALLED_APPS = [*PORTAL_APPS, "tests.benchmarks.counting.CountingConfig"]
