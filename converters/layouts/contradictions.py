"""Labels of one picture that cannot both hold, by what terms mean and by what a source says."""

from collections.abc import Iterable, Sequence
from itertools import product

from converters.annotations.contract import Said
from converters.errors import CaseError
from converters.records import Finding
from converters.terminology import contradicted_by, implied_by
from converters.vocabulary import term

# What a normal picture has none of; organs and instruments are on it all the same.
_DENIED = ("diagnosis", "lesion", "grade")


def denied_by(said: Said) -> frozenset[str]:
    """What a block denies by calling the picture normal: all that it would else have named.

    Where it is one of "benign lesion", "malignant lesion" and "normal", normal denies a lesion
    of any kind, which each of the others would have implied. "No melanoma" denies no more than it
    says: there may be another lesion.
    """
    if not any(_is_all_normal(one) for one in said.findings):
        return frozenset()
    named = {other for name in said.absent for other in (name, *implied_by(name))}
    return frozenset(name for name in named if term(name).role in _DENIED)


def require_no_contradiction(findings: Sequence[Finding], denied: Iterable[str], name: str) -> None:
    """Refuse a picture of which one label says what another says it is not.

    Of two regions each may be what the other is not; a label of the whole picture may not.

    Args:
        findings: Of all blocks.
        denied: From :func:`denied_by`, of all blocks.
        name: Of the picture, for the message.

    Raises:
        CaseError: ``labels_contradict``.
    """
    labels = {finding.label for finding in findings}
    whole = {finding.label for finding in findings if _is_of_whole(finding)}
    for one, other in product(sorted(whole), sorted(labels)):
        if other in contradicted_by(one):
            raise CaseError("labels_contradict", f"{name} is said to show {one} and {other}")
    both = sorted(labels & set(denied))
    if both:
        normal = sorted(one for one in whole if term(one).role == "normal")
        raise CaseError(
            "labels_contradict",
            f"{name} is said to show {', '.join(normal)}, and {', '.join(both)} is marked on it",
        )


def _is_all_normal(finding: Finding) -> bool:
    is_normal = term(finding.label).role == "normal" and _is_of_whole(finding)
    return is_normal and not finding.label.startswith(("no ", "none "))


def _is_of_whole(finding: Finding) -> bool:
    return finding.box is None and not finding.position
