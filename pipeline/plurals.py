"""Whether a term is itself a plural: "the basal ganglia are seen", "the trachea is seen"."""

import re

from converters.vocabulary import Term

_AFTER = re.compile(
    r" (?:a?typical of|of|in|within|around|with|without|from|on|at|by|after|suspicious for"
    r"|other than) "
)
_NUMBER = re.compile(r" (?:\d+|[IVX]+(?:-[IVX]+)?[AB]?)$")
# Latin and other plurals that "s" does not end.
_PLURAL_ENDS = ("ae", "i", "ganglia", "ata", "mina", "verticula", "bella", "dena", "drusen")
_PLURAL_WORDS = frozenset(
    {
        "atria", "bacteria", "ceca", "cilia", "crania", "crura", "femora", "omenta", "opercula",
        "ostia", "peritonea", "recta", "sacra", "septa", "sterna", "teeth",
    }
)  # fmt: skip
_SINGULAR_ENDS = ("is", "us", "ss")
_SINGULAR_WORDS = frozenset(
    {
        "pancreas", "lens", "caries", "measles", "rickets", "herpes", "diabetes", "ascites",
        "biceps", "triceps", "quadriceps", "debris",
    }
)  # fmt: skip


def is_plural(of: Term) -> bool:
    """Whether a term takes a verb in the plural.

    A term with a plural of its own does not. Of the others do those whose noun is a plural,
    and two things that "and" joins; a disease (tuberculosis) and a species (Candida albicans)
    do not.
    """
    if of.plural != of.term:
        return False
    head = head_of(of.term)
    is_species = of.role == "cell" and of.term[0].isupper() and not head.endswith(" species")
    return not is_species and (" and " in head or is_plural_noun(head))


def head_of(name: str) -> str:
    """A name up to what only says which one: "vessels" of "vessels within regression"."""
    return _NUMBER.sub("", _AFTER.split(name, maxsplit=1)[0])


def is_plural_noun(head: str) -> bool:
    """Whether the last word of a name is a plural, as far as its ending tells."""
    word = head.rsplit(" ", 1)[-1]
    if word in _PLURAL_WORDS:
        return True
    if word in _SINGULAR_WORDS or word.endswith(_SINGULAR_ENDS):
        return False
    return word.endswith(("s", *_PLURAL_ENDS))
