"""A vision model in an engine of vLLM: images come with their prompts, known by their digest."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from pipeline.digests import digest_bytes
from pipeline.model_request import Request, Sampling, request_of
from pipeline.vllm_captioner import VllmCaptioner
from tests.model.conftest import RUN, settings
from tests.models.tiny_llava import IMAGE_TOKENS
from tests.models.twin_prompts import twin_prompts


@pytest.fixture(scope="module")
def seeing(tiny_llava: Path) -> Iterator[VllmCaptioner]:
    with VllmCaptioner(settings(tiny_llava), RUN) as captioner:
        yield captioner


def png(color: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (80, 60), color).save(file, "PNG")
    return file.getvalue()


def about(seeing: VllmCaptioner, image: bytes) -> Request:
    return Request(
        model=seeing.model, revision=seeing.revision, system="s", user="u",
        image_digest=digest_bytes(image) if image else "", sampling=Sampling(max_tokens=8),
    )  # fmt: skip


def test_prompts_of_a_build_are_answered_with_their_images(seeing, tmp_path: Path) -> None:
    made = list(twin_prompts(["bccd"], tmp_path, "vision"))
    images = {digest_bytes(image): image for _, image in made}
    sampling = Sampling(max_tokens=16)
    requests = [
        request_of(
            prompt, model=seeing.model, revision=seeing.revision,
            image_digest=digest_bytes(image), sampling=sampling,
        )
        for prompt, image in made
    ]  # fmt: skip
    answers = seeing.caption(requests, images)
    assert {answer.error for answer in answers} == {""}
    assert all(answer.text.startswith('{"caption":"') for answer in answers)


def test_another_image_is_another_answer(seeing) -> None:
    red, blue = png("red"), png("blue")
    images = {digest_bytes(image): image for image in (red, blue)}
    first, again, other = seeing.caption(
        [about(seeing, image) for image in (red, red, blue)], images
    )
    assert first.text == again.text != other.text


def test_an_image_costs_its_tokens(seeing) -> None:
    red = png("red")
    without, with_image = seeing.caption(
        [about(seeing, b""), about(seeing, red)], {digest_bytes(red): red}
    )
    assert with_image.tokens_in - without.tokens_in == IMAGE_TOKENS + 1  # and the line's end


def test_an_image_that_cannot_be_read_is_that_prompts_error(seeing) -> None:
    broken, red = b"\x89PNG\r\n\x1a\n not pixels", png("red")
    images = {digest_bytes(image): image for image in (broken, red)}
    answers = seeing.caption([about(seeing, image) for image in (broken, red)], images)
    assert [answer.error for answer in answers] == ["refused: UnidentifiedImageError", ""]
