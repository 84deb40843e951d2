"""What converters give, in order, into a shard: texts written or asked for, checked, made rows."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from converters.manifest import LoadedManifest
from converters.records import Case, Rejection, Sample
from pipeline.model_texts import NO_ANSWER, Asker, Line, ModelTexts, Slot
from pipeline.pairs import Pair, TextFailure
from pipeline.rows import pair_columns, sample_columns
from pipeline.shards import ShardWriter
from pipeline.write_text import TextSettings, drafted_of

# What may wait for texts: enough to keep a model busy, little beside a row group.
_MOST_IN_LINE = 1024
_MOST_BYTES = 128 << 20


@dataclass(kw_only=True)
class Tally:
    """What a shard holds.

    Attributes:
        samples: Images.
        subjects: Who they are of.
        pairs: Pairs by format.
        findings: Findings by canonical term.
        texts: Texts that a model was asked for, by what became of them.
        rejections: What was left out, in order.
    """

    samples: int = 0
    subjects: set[str] = field(default_factory=set)
    pairs: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """A sample, and its texts as far as they are there."""

    sample: Sample
    case: Case
    image_digest: str
    shared: Mapping[str, object]
    texts: tuple[Pair | TextFailure | Slot, ...]


class Filling:
    """Fills one shard, in the order of what is added, however answers come.

    Args:
        writer: The shard.
        loaded: The manifest of the source.
        converter: Name of its converter.
        digests: Digests of the files, by relative path.
        settings: What is written about each sample.
        asker: Where requests to the model of the settings go.
        on_case: Called when all of a case is written.
    """

    def __init__(
        self,
        *,
        writer: ShardWriter,
        loaded: LoadedManifest,
        converter: str,
        digests: Mapping[str, str],
        settings: TextSettings,
        asker: Asker | None,
        on_case: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._loaded = loaded
        self._converter = converter
        self._digests = digests
        self._settings = settings
        self._on_case = on_case
        self._texts: ModelTexts | None = None
        if settings.model:
            assert asker, "a model is asked through an asker"
            self._texts = ModelTexts(settings.model, asker)
        self._line = Line(most=_MOST_IN_LINE, most_bytes=_MOST_BYTES)
        self._tally = Tally()

    def add(self, case: Case, outcome: Sample | Rejection) -> None:
        """Write a sample, or note a rejection, once all before it is written.

        Raises:
            GmaiError: The model cannot be asked any more.
            OSError: The shard cannot be written, or an answer not be kept.
        """
        if isinstance(outcome, Rejection):
            self._line.add(outcome, (), 0)
        else:
            written = self._write(case, outcome)
            slots = [text for text in written.texts if isinstance(text, Slot)]
            self._line.add(written, slots, len(outcome.image))
        self._take_out()

    def end_case(self) -> None:
        """Say that nothing more of this case comes."""
        self._line.add(None, (), 0)
        self._take_out()

    def finish(self) -> Tally:
        """Wait for all texts; say what the shard holds."""
        while self._line:
            if not self._take_out_ready() and self._texts:
                self._texts.settle()
        return self._tally

    def _write(self, case: Case, sample: Sample) -> _Written:
        shared = sample_columns(sample, case, self._loaded, self._converter, self._digests)
        digest = shared["image_digest"]
        texts: list[Pair | TextFailure | Slot] = []
        for drafted in drafted_of(sample, self._loaded.manifest, self._settings):
            slot = self._texts.begin(drafted, sample.image, digest) if self._texts else None
            texts.append(slot or drafted.outcome)
        return _Written(
            sample=sample, case=case, image_digest=digest, shared=shared, texts=tuple(texts)
        )

    def _take_out(self) -> None:
        if self._texts:
            self._texts.settle_arrived()
        self._take_out_ready()
        while self._line.is_full and self._texts:
            self._texts.settle()
            self._take_out_ready()

    def _take_out_ready(self) -> bool:
        ready = self._line.ready()
        for item in ready:
            if isinstance(item, Rejection):
                self._tally.rejections.append(item)
            elif isinstance(item, _Written):
                self._put(item)
            else:
                self._on_case()
        return bool(ready)

    def _put(self, written: _Written) -> None:
        pairs = list(self._pairs(written))
        if not pairs:
            return
        rows = [{**written.shared, **pair_columns(pair)} for pair in pairs]
        self._writer.write_image(written.sample.image, written.image_digest, rows)
        self._tally.samples += 1
        self._tally.subjects.add(written.case.subject_id)
        self._tally.pairs.update(pair.format for pair in pairs)
        self._tally.findings.update(finding.label for finding in written.sample.findings)

    def _pairs(self, written: _Written) -> Iterator[Pair]:
        for text in written.texts:
            outcome = text
            if isinstance(text, Slot):
                assert text.outcome, "a sample comes out of the line with all its texts"
                self._tally.texts[text.said] += 1
                outcome = text.outcome
            if isinstance(outcome, Pair):
                yield outcome
            elif isinstance(outcome, TextFailure):
                reason = NO_ANSWER if outcome.check == NO_ANSWER else "text_unchecked"
                self._reject(written, reason, f"{outcome.format}: {outcome.message}")
        if not written.texts:
            asked = f"formats asked for: {', '.join(self._settings.formats)}"
            self._reject(written, "no_format", asked)

    def _reject(self, written: _Written, reason: str, message: str) -> None:
        self._tally.rejections.append(
            Rejection(
                source=written.case.source,
                case_key=written.case.key,
                reason=reason,
                message=message,
                sample_id=written.sample.sample_id,
            )
        )
