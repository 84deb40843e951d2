"""What may be done with a source under its terms: policies, and refusals in words.

A policy says for each action which classes of ``manifests/licenses.csv`` it allows. ``open``,
``research``, ``any`` and ``default`` are files in ``manifests/policies``; a user's own has the same
form. Whatever a policy does not name it does not allow: ``not stated`` is a class like any other,
and no policy but ``any`` and the default takes it for allowed.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import SettingsError
from converters.licenses import CLASSES, NOT_IN_TABLE
from converters.records import Json
from converters.vocabulary import MANIFESTS, words

ACTIONS: dict[str, str] = {
    "build": "be built",
    "embed": "have its images in shards",
    "send": "be sent to a server elsewhere",
    "train": "be trained on",
    "export": "be exported",
}
BUILT_IN = ("open", "research", "any")
DEFAULT = "default"
_FOLDER = MANIFESTS / "policies"
_HOW = {
    "build": "leave the source out",
    "embed": "write pointers with --images pointers (gmai-rehydrate puts the images back)",
    "send": "use --captioner template or vllm",
    "train": "leave it out of --data",
    "export": "leave it out",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The terms of a source, as its manifest and the table of licences give them.

    Attributes:
        source: Its name.
        license: Its licence.
        words: The licence in the words of the manifest, or "".
        access: How it is to be had.
        classes: What the licence allows, by the names of :data:`converters.licenses.CLASSES`.
    """

    source: str
    license: str
    words: str
    access: str
    classes: Mapping[str, str]

    def value(self, key: str) -> str:
        """What it says under a key of a policy."""
        if key == "license":
            return self.license
        return self.access if key == "access" else self.classes.get(key, NOT_IN_TABLE)


def terms_in(sources: Mapping[str, Mapping[str, Any]]) -> list[Terms]:
    """The terms of the sources of a build, as its receipt gives them.

    Args:
        sources: Entries of the receipt, by source. What one does not say is in no table.
    """
    return [
        Terms(
            source=name,
            license=entry.get("license", NOT_IN_TABLE),
            words=entry.get("terms") or "",
            access=entry.get("access", ""),
            classes=entry.get("license_allows", {}),
        )
        for name, entry in sources.items()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A source that a user answers for, with the reason on record."""

    source: str
    actions: tuple[str, ...]
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What is allowed.

    Attributes:
        name: A built-in one's name, or that of the file.
        digest: SHA-256 of the file.
        rules: For each action, what each key may say; an action that is missing allows nothing.
        accepted: Sources that the user answers for.
    """

    name: str
    digest: str
    rules: Mapping[str, Mapping[str, tuple[str, ...]]]
    accepted: tuple[Accepted, ...] = ()

    def refusal(self, action: str, terms: Terms) -> str:
        """Why an action is not allowed, in words; "" where it is.

        Args:
            action: A key of :data:`ACTIONS`.
            terms: Those of the source.
        """
        if any(one.source == terms.source and action in one.actions for one in self.accepted):
            return ""
        if action not in self.rules:
            return f"policy {self.name} does not let any source {ACTIONS[action]}"
        for key, allowed in self.rules[action].items():
            said = terms.value(key)
            if said not in allowed:
                only = " or ".join(f"{word!r}" for word in allowed) or "nothing"
                return (
                    f"may not {ACTIONS[action]} under policy {self.name}: licence {terms.license}"
                    f"{f' ({terms.words})' if terms.words else ''} says {said!r} for {key}, and "
                    f"the policy allows {only}"
                )
        return ""

    @property
    def record(self) -> dict[str, Json]:
        """What receipts and records say of it."""
        taken: list[Json] = [[one.source, list(one.actions), one.because] for one in self.accepted]
        return {"name": self.name, "digest": self.digest, "accepted": taken}


def require_allowed(policy: Policy, terms: Iterable[Terms], actions: Sequence[str]) -> None:
    """Make sure that all sources may be used so.

    Raises:
        SettingsError: One may not: its name, its licence, what the policy allows, what to do.
    """
    for one in terms:
        for action in actions:
            found = policy.refusal(action, one)
            if found:
                raise SettingsError(
                    one.source,
                    found,
                    f"{_HOW[action]}, or, where you have the right, name a policy that allows it: "
                    "--license-policy any, or a FILE that accepts the source and says why",
                )


def load_policy(name: str) -> Policy:
    """A policy by its name, or from a file.

    Raises:
        SettingsError: There is none, or it is not a policy.
    """
    is_built_in = name in (*BUILT_IN, DEFAULT)
    path = _FOLDER / f"{name}.toml" if is_built_in else Path(name).expanduser()
    try:
        data = path.read_bytes()
        content = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise SettingsError(
            "--license-policy",
            f"{name!r} is no policy and no file that can be read: {error.strerror}",
            f"there are: {', '.join(BUILT_IN)}, or name a FILE",
        ) from error
    except ValueError as error:
        raise SettingsError(name, f"is not TOML: {error}", _HELP) from error
    label = name if is_built_in else path.name
    return Policy(
        name=label,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        rules={a: _rule(label, a, content[a]) for a in ACTIONS if a in content},
        accepted=_accepted(label, content),
    )


_HELP = "copy one of manifests/policies; docs/terms.md explains them"
_WORDS: dict[str, frozenset[str]] = {
    **{name: frozenset(said) | {NOT_IN_TABLE} for name, said in CLASSES.items()},
    "access": words("access"),
}


def _rule(name: str, action: str, rule: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(rule, dict):
        raise SettingsError(name, f"[{action}] is no table", _HELP)
    out = {}
    for key, said in rule.items():
        if key not in (*_WORDS, "license"):
            raise _unknown(name, f"{action}.{key}", [*_WORDS, "license"])
        if not isinstance(said, list) or not all(isinstance(word, str) for word in said):
            raise SettingsError(name, f"{action}.{key} is no list of words", _HELP)
        for word in said:
            if key in _WORDS and word not in _WORDS[key]:
                raise _unknown(name, f"{action}.{key}: {word!r}", sorted(_WORDS[key]))
        out[key] = tuple(said)
    return out


def _accepted(name: str, content: Mapping[str, Any]) -> tuple[Accepted, ...]:
    unknown = content.keys() - {*ACTIONS, "accepted"}
    if unknown:
        raise _unknown(name, sorted(unknown)[0], [*ACTIONS, "accepted"])
    rows = content.get("accepted", [])
    if not isinstance(rows, list):
        raise SettingsError(name, "`accepted` is no list: write [[accepted]]", _HELP)
    return tuple(_one_accepted(name, row) for row in rows)


def _one_accepted(name: str, row: object) -> Accepted:
    keys = {"source", "actions", "because"}
    if not isinstance(row, dict) or row.keys() != keys:
        raise SettingsError(name, f"[[accepted]] needs exactly {', '.join(sorted(keys))}", _HELP)
    source, actions, because = row["source"], row["actions"], row["because"]
    if not isinstance(source, str) or not isinstance(because, str) or not because.strip():
        raise SettingsError(name, "[[accepted]]: source and because are words", _HELP)
    if not isinstance(actions, list) or not actions:
        raise SettingsError(name, f"[[accepted]] {source}: actions is an empty list", _HELP)
    for action in actions:
        if action not in ACTIONS:
            raise _unknown(name, f"[[accepted]] {source}: {action!r}", list(ACTIONS))
    return Accepted(source=source, actions=tuple(actions), because=because.strip())


def _unknown(name: str, found: str, allowed: Sequence[str]) -> SettingsError:
    near = difflib.get_close_matches(found.rpartition(".")[2], allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return SettingsError(name, f"{found} is not known", f"{hint}there are: {', '.join(allowed)}")
