"""Paths that match a pattern, one for each number."""

import re

from converters.pattern import _closing

_PART = re.compile(r"\\d|\[[^\]]*\]|\([^()]*\)|\\.|.")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}|[+*?]")


def example(regex: str, number: int) -> str:
    r"""A text that matches a simple regular expression; other numbers give other texts.

    Understands literals, ``\d``, classes, groups of alternatives and counts. The number goes
    into the first run of digits, or the first class; what that cannot hold goes into the next.
    """
    if "|" in regex and "(" not in regex:
        return _alternative(regex.split("|"), number)
    out, at, rest, placed = "", 0, number, False
    while at < len(regex):
        part = _PART.match(regex, at).group()
        at += len(part)
        counted = _COUNT.match(regex, at)
        length = _length(counted)
        at = counted.end() if counted else at
        text, rest, placed = _text(part, length, rest, placed=placed)
        out += text
    assert re.fullmatch(regex, out), (regex, out)
    return out


def _alternative(choices: list[str], number: int) -> str:
    """One of the choices in turn: of those that can hold a number, where there are any."""
    open_ones = [choice for choice in choices if re.search(r"\[|\\d", choice)] or choices
    return example(open_ones[number % len(open_ones)], number)


def _length(counted: re.Match[str] | None) -> int:
    if counted is None:
        return 1
    if counted.group(1) is not None:
        return int(counted.group(1))
    return {"+": 4, "*": 4, "?": 0}[counted.group()]


def _text(part: str, length: int, number: int, *, placed: bool) -> tuple[str, int, bool]:
    """The text of a part, what is left of the number, and whether digits have taken it."""
    if part in (r"\d", "[0-9]"):
        shown = number if placed else number + 1  # numbers of files start at one
        return str(shown).zfill(length)[-length:], shown // 10**length, True
    if part.startswith("["):
        alphabet = _alphabet(part)
        digits = [alphabet[(number // len(alphabet) ** i) % len(alphabet)] for i in range(length)]
        return "".join(reversed(digits)), number // len(alphabet) ** length, True
    if part.startswith("("):
        choices = part.strip("()").removeprefix("?:").split("|")
        return (_alternative(choices, number) if length else ""), number, placed
    return part.lstrip("\\") * length, number, placed


def _alphabet(part: str) -> str:
    inside = re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), part)
    letters = [c for c in inside.strip("[]").replace("\\", "") if re.fullmatch(part, c)]
    assert letters, part
    return "".join(sorted(set(letters), key=lambda c: (not c.isalnum(), c)))


def path_for(pattern: str, fields: dict[str, str], number: int) -> tuple[str, dict[str, str]]:
    """A path that matches a pattern, and the values of its placeholders.

    Placeholders in `fields` take the value given there; the others take an example.
    """
    values = dict(fields)
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            at += 3
        elif pattern[at] == "{":
            end = _closing(pattern, at)
            name, _, regex = pattern[at + 1 : end].partition(":")
            if name not in values:
                values[name] = example(regex or rf"{name}\d{{4}}", number)
            out += values[name]
            at = end + 1
        else:
            out += {"*": "x", "?": "x"}.get(pattern[at], pattern[at])
            at += 1
    return out, values
