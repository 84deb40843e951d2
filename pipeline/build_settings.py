"""What a user asks of a build, as a record."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from converters.records import Json
from pipeline.box_notation import Notation
from pipeline.captioning import Connection
from pipeline.cluster import Cluster, Share
from pipeline.license_policy import DEFAULT, Policy, load_policy
from pipeline.mix import Mix
from pipeline.model_settings import ModelSettings
from pipeline.server_settings import ServerSettings
from pipeline.write_text import TextSettings, text_identity

Images: TypeAlias = Literal["embed", "pointers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """What the user asked for; None stands for the default, and no cluster for this machine.

    Images are embedded in the shards, or rows point to them by source, slice and digest alone.
    """

    sources: tuple[str, ...]
    root: Path | None
    out: Path
    formats: tuple[str, ...]
    languages: tuple[str, ...]
    boxes: Notation
    workers: int | None
    limit: int | None
    partition_cases: int | None
    is_dry_run: bool
    model: ModelSettings | None = None
    connection: Connection | None = None
    retries_failed: bool = False
    mix: Mix | None = None
    cluster: Cluster | None = None
    share: Share | None = None
    is_digests_only: bool = False
    publish_url: str | None = None
    images: Images = "embed"
    policy: Policy = field(default_factory=partial(load_policy, DEFAULT))

    @property
    def text(self) -> TextSettings:
        """What is written about each sample."""
        return TextSettings(
            formats=self.formats,
            languages=self.languages,
            boxes=self.boxes,
            model=self.model,
            mix=self.mix,
        )

    @property
    def actions(self) -> tuple[str, ...]:
        """What is done with the sources, by the names of a policy."""
        embeds = ("embed",) if self.images == "embed" else ()
        to = self.connection.to if self.connection else None
        sends = ("send",) if isinstance(to, ServerSettings) and to.is_elsewhere else ()
        return ("build", *embeds, *sends)

    @property
    def in_receipt(self) -> dict[str, Json]:
        """What the receipt says of them, for each source."""
        return {
            "formats": list(self.formats),
            "languages": list(self.languages),
            "boxes": self.boxes,
            "captioner": text_identity(self.text)["captioner"],
            "model": self.model.identity() if self.model else None,
            "mix": self.mix.as_json if self.mix else None,
            "images": self.images,
            "policy": self.policy.record,
            "limit": self.limit,
        }
