"""Which of the series of a study is meant: chosen by what the manifest states, never guessed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converters.errors import CaseError
from converters.imaging.dicom_series import SeriesFiles
from converters.manifest import Manifest
from converters.pattern import fill
from converters.specs.layouts import Series, SeriesChoice

_LISTED = 8  # candidates named in a message


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A volume that a choice of the manifest means."""

    series: SeriesFiles
    fields: Mapping[str, str]
    choice: SeriesChoice


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmet:
    """A choice that cannot be made for a study, and why."""

    key: str
    reason: str
    message: str


def choose_series(
    manifest: Manifest,
    layout: Series,
    volumes: Iterable[tuple[SeriesFiles, Mapping[str, str]]],
) -> tuple[list[Chosen], list[Unmet]]:
    """Every volume that a choice means, and the choices that no volume, or several, fit.

    Args:
        manifest: Of the source.
        layout: Its choices.
        volumes: With the fields of each, in the order of paths.

    Returns:
        Chosen volumes in the order of paths, each once (the first choice that it fits), and
        what could not be chosen.
    """
    studies: dict[str, list[tuple[SeriesFiles, Mapping[str, str]]]] = {}
    unmet: list[Unmet] = []
    for series, fields in volumes:
        try:
            studies.setdefault(fill(layout.of_each, fields), []).append((series, fields))
        except CaseError as error:
            unmet.append(Unmet(key=series.paths[0], reason=error.reason, message=error.message))
    chosen: dict[int, Chosen] = {}
    for study, members in studies.items():
        for choice in layout.choices:
            fitting = [
                Chosen(series=series, fields=fields, choice=choice)
                for series, fields in members
                if _fits(manifest, choice, series, fields)
            ]
            missed = _unmet(layout, choice, study, members, fitting)
            if missed:
                unmet.append(missed)
            for one in [] if missed else fitting:
                chosen.setdefault(id(one.series), one)
    kept, shared = _one_a_file(chosen.values())
    return kept, [*unmet, *shared]


def choice_of(
    manifest: Manifest, layout: Series, series: SeriesFiles, fields: Mapping[str, str]
) -> SeriesChoice | None:
    """The first choice that a volume with these fields fits."""
    return next((one for one in layout.choices if _fits(manifest, one, series, fields)), None)


def _one_a_file(chosen: Iterable[Chosen]) -> tuple[list[Chosen], list[Unmet]]:
    """Volumes by path: a case is named by its first file, and two cannot have one name."""
    kept: dict[str, Chosen] = {}
    unmet: list[Unmet] = []
    for one in sorted(chosen, key=lambda one: one.series.paths[0]):
        path = one.series.paths[0]
        if kept.setdefault(path, one) is not one:
            message = f"{one.series} and {kept[path].series} begin in one file, {path}"
            unmet.append(Unmet(key=f"{path}: {one.series}", reason="series_ambiguous",
                               message=message))  # fmt: skip
    return list(kept.values()), unmet


def _fits(
    manifest: Manifest, choice: SeriesChoice, series: SeriesFiles, fields: Mapping[str, str]
) -> bool:
    facts = series.facts
    first = series.slices[0]
    size = f"{first.columns}x{first.rows}"
    said = {**series.marks, "size": size, "stack": first.stack, **series.part}
    image_type = said.get("image_type", "").split("\\")
    return all(
        (
            facts.modality == (choice.modality or manifest.modality),
            choice.description is None
            or re.fullmatch(choice.description, facts.description, re.IGNORECASE),
            choice.plane in (None, series.plane),
            set(choice.image_type) <= set(image_type),
            all(said.get(name) == value for name, value in choice.part.items()),
            all(fields.get(name) == value for name, value in choice.where.items()),
            len(series.slices) >= choice.min_slices,
        )
    )


def _unmet(
    layout: Series,
    choice: SeriesChoice,
    study: str,
    members: Sequence[tuple[SeriesFiles, Mapping[str, str]]],
    fitting: Sequence[Chosen],
) -> Unmet | None:
    wanted = choice.in_words
    if not fitting and choice.if_missing == "reject":
        return Unmet(
            key=f"{study}: {wanted}",
            reason="series_missing",
            message=f"no series is {wanted}; there are: {_listed(s for s, _ in members)}",
        )
    if len(fitting) > 1 and layout.if_several == "reject":
        return Unmet(
            key=f"{study}: {wanted}",
            reason="series_ambiguous",
            message=f"{len(fitting)} series are {wanted}: {_listed(one.series for one in fitting)}",
        )
    return None


def _listed(series: Iterable[SeriesFiles]) -> str:
    found = sorted(map(str, series))
    more = f"; and {len(found) - _LISTED} more" if found[_LISTED:] else ""
    return "; ".join(found[:_LISTED]) + more
