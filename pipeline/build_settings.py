"""What a user asks of a build, as a record."""

from dataclasses import dataclass
from pathlib import Path

from converters.records import Json
from pipeline.box_notation import Notation
from pipeline.captioning import Connection
from pipeline.cluster import Cluster, Share
from pipeline.mix import Mix
from pipeline.model_settings import ModelSettings
from pipeline.write_text import TextSettings, text_identity


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """What the user asked for; None stands for the default, and no cluster for this machine."""

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
    def in_receipt(self) -> dict[str, Json]:
        """What the receipt says of them, for each source."""
        return {
            "formats": list(self.formats),
            "languages": list(self.languages),
            "boxes": self.boxes,
            "captioner": text_identity(self.text)["captioner"],
            "model": self.model.identity() if self.model else None,
            "mix": self.mix.as_json if self.mix else None,
            "images": "embed",
            "limit": self.limit,
        }
