"""What a truthful model writes of the facts in its prompt: the answers of a served model."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.model_server import Say, completion, user_text


def truth(body: Mapping[str, Any]) -> str:
    """A caption that says only what the facts in a request say."""
    text = user_text(body).split("Your last text was not taken")[0]
    facts = dict(re.findall(r"^(\w+): (.*)$", text, re.MULTILINE))
    names = dict.fromkeys(re.findall(r"^- ([^;\n]+)", text, re.MULTILINE))
    if "the region:" in text:
        return f"This region shows {next(iter(names))}."
    return f"This image of the {facts['anatomy']} shows {', '.join(names)}."


def caption(text: str) -> Say:
    """An answer with a caption in the form that is asked for."""
    return Say(body=completion(json.dumps({"caption": text})))


def write_truth(_number: int, body: dict[str, Any]) -> Say:
    """The script of a server that always tells the truth."""
    return caption(truth(body))
