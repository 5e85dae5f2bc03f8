"""JQL split into words, with the vendor's reserved words and characters."""

import re
from dataclasses import dataclass

from .errors import Refusal, bad

_WORDS = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>!=|!~|>=|<=|[=~<>(),])
    |(?P<bare>[^\s"'=!~<>(),]+))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_RESERVED_CHARACTERS = frozenset("+;?|*/%^$#@&")
_RESERVED = """
abort access add after alias all alter any array as audit begin between boolean break by byte catch char check
collation column commit connect continue count create current date decimal declare default delete desc distinct
divide do double drop else encoding end equals execute exists explain false fetch file field first float for from
function go goto grant group having identified if immediate increment index initial inner inout input insert int
integer intersect interval into join last left less like limit lock long max min minus mode modify modulo more
multiply next noaudit notin nowait number object of on option outer output power previous prior privileges public
raise raw remove rename resource return returns revoke right row rowid rownum rows select session set share size
sqrt start strict string subtract sum synonym table then to trans transaction trigger true uid union unique update
user validate values view when whenever where while with
"""
RESERVED_WORDS = frozenset(_RESERVED.split())


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a query; ``quoted`` words are never keywords."""

    text: str
    kind: str

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind != "quoted" else ""


def syntax_error(detail: str) -> Refusal:
    return bad(f"Error in the JQL Query: {detail}")


def split(text: str) -> list[Word]:
    """The words of ``text``; raises the vendor's 400 for what cannot be read."""
    words: list[Word] = []
    position = 0
    while text[position:].strip():
        found = _WORDS.match(text, position)
        if found is None or found.lastgroup is None:
            raise syntax_error(f"The character '{text[position:].strip()[0]}' was not expected. (character {position})")
        kind, shown = found.lastgroup, found[found.lastgroup]
        if kind == "quoted":
            shown = _ESCAPE.sub(r"\1", shown[1:-1])
        elif kind == "bare" and _RESERVED_CHARACTERS & set(shown):
            culprit = next(character for character in shown if character in _RESERVED_CHARACTERS)
            raise syntax_error(
                f"The character '{culprit}' is a reserved JQL character. You must enclose it in a string."
            )
        words.append(Word(shown, kind))
        position = found.end()
    return words
