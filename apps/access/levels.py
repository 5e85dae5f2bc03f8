"""How much a role may do with a resource (T63: read, write, full control)."""

from enum import IntEnum


class Level(IntEnum):
    NONE = 0
    READ = 1
    WRITE = 2
    FULL = 3
