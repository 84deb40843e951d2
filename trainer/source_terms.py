"""Whether the sources of builds may be trained on, or exported, under a policy."""

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.license_policy import load_policy, require_allowed, terms_in
from pipeline.shards import RECEIPT_FILE
from trainer.errors import TrainerError


def require_terms(policy: str, builds: Sequence[Path], action: str) -> None:
    """Make sure that the policy allows an action for every source of the builds.

    Args:
        policy: Its name or file.
        builds: Out folders of finished builds.
        action: A key of :data:`pipeline.license_policy.ACTIONS`.

    Raises:
        GmaiError: A source may not be used so, a receipt cannot be read, or no build is known.
    """
    loaded = load_policy(policy)
    if not builds:
        raise TrainerError(
            "--license-policy", "it is not known from here which sources were trained on",
            "name their builds with --data"
        )  # fmt: skip
    for folder in builds:
        try:
            sources = json.loads((folder / RECEIPT_FILE).read_text("utf-8"))["sources"]
        except (OSError, ValueError, KeyError) as error:
            raise TrainerError(
                str(folder), f"has no {RECEIPT_FILE} that can be read: {error}",
                "name the out folder of a finished build"
            ) from error  # fmt: skip
        require_allowed(loaded, terms_in(sources), [action])
