"""Videos: one file, one case, several frames, each of them a sample."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL import Image

from converters.annotations.contract import module_of
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import Picture
from converters.imaging.video import Video, read_video
from converters.layouts.listing import list_cases
from converters.layouts.picture_case import ask_blocks, picture_sample
from converters.manifest import Manifest
from converters.records import Case, Entry, Json, Outcome, Rejection, Sample
from converters.specs.layouts import Videos
from converters.specs.videos import Frames, VideoAnnotation

VERSION = 1
_RATE_TOLERANCE = 0.01


def cases(manifest: Manifest, layout: Videos, root: Root) -> list[Case]:
    """One case a video, in the order of paths; then annotations without a video.

    Raises:
        SourceError: No video matches, or a table is not what the manifest says.
    """
    return list_cases(manifest, layout, root, root.listing())


def convert(manifest: Manifest, layout: Videos, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield one sample for each chosen frame.

    Raises:
        CaseError: The video or its annotation cannot be used.
    """
    said = _entries(layout, root, case)
    video = read_video(root, case.image)
    _require_fit(layout, video, said)
    chosen = choose_frames(said, layout.frames)
    if not chosen:
        raise CaseError("annotation_empty", f"no frame of {case.image} is annotated")
    for number, image in video.images(chosen):
        picture = _picture(layout, video, number, image)
        blocks = [
            (spec, one.get(number)) for spec, one in zip(layout.annotations, said, strict=True)
        ]
        try:
            yield _sample(manifest, layout, root, case, number, picture, blocks)
        except CaseError as error:
            yield Rejection(
                source=case.source,
                case_key=case.key,
                reason=error.reason,
                message=error.message,
                sample_id=_sample_id(case, number),
            )


def _entries(layout: Videos, root: Root, case: Case) -> list[dict[int, Entry]]:
    """By block: the entry of each frame."""
    return [
        module_of(spec.kind).frame_entries(spec, root, entry) if entry else {}
        for spec, entry in zip(layout.annotations, case.entries, strict=True)
    ]


def _require_fit(layout: Videos, video: Video, said: Sequence[dict[int, Entry]]) -> None:
    """Refuse a video of another rate or length than its annotation was made on."""
    rate = float(video.rate) if video.rate else 0.0
    if layout.rate and abs(rate - layout.rate) > _RATE_TOLERANCE * layout.rate:
        raise CaseError(
            "shape_mismatch", f"{video.name} has {rate:g} frames a second, not {layout.rate:g}"
        )
    last = max((max(entries, default=0) for entries in said), default=0)
    if last >= video.frames:
        raise CaseError(
            "shape_mismatch",
            f"frame {last} of {video.name} is annotated, and it has {video.frames:,} frames",
        )


def choose_frames(said: Sequence[dict[int, Entry]], frames: Frames) -> list[int]:
    """Frames that every block that knows the video speaks of, spread evenly over it.

    Args:
        said: By block: what it has, by number of the frame.
        frames: How many, and how far apart.

    Returns:
        Numbers of frames, rising.
    """
    known = [set(entries) for entries in said if entries]
    apart: list[int] = []
    for number in sorted(set.intersection(*known)) if known else ():
        if not apart or number - apart[-1] >= frames.apart:
            apart.append(number)
    if len(apart) <= frames.per_video:
        return apart
    step = len(apart) / frames.per_video
    return [apart[int((turn + 0.5) * step)] for turn in range(frames.per_video)]


def _sample_id(case: Case, number: int) -> str:
    return f"{case.source}/{case.key}#frame-{number:06d}"


def _picture(layout: Videos, video: Video, number: int, image: Image.Image) -> Picture:
    step: dict[str, Json] = {
        "step": "decode_frame",
        "frame": number,
        "codec": video.codec,
        "per_video": layout.frames.per_video,
        "apart": layout.frames.apart,
    }
    return Picture(data=b"", format="video", image=image, is_turned=False, transforms=(step,))


def _sample(
    manifest: Manifest,
    layout: Videos,
    root: Root,
    case: Case,
    number: int,
    picture: Picture,
    blocks: Sequence[tuple[VideoAnnotation, Entry | None]],
) -> Sample:
    spacing = (layout.spacing.row_mm, layout.spacing.column_mm) if layout.spacing else None
    said = ask_blocks(blocks, root, case, picture, spacing)
    if not (said.findings or said.absent):
        raise CaseError("annotation_empty", f"nothing is said of frame {number} of {case.image}")
    sample = picture_sample(
        manifest,
        case,
        picture,
        said,
        sample_id=_sample_id(case, number),
        entries=[entry for _, entry in blocks],
    )
    return replace(sample, source_index=number)
