"""An engine that holds no model: it speaks to the captioner as vLLM's process does.

    python -m tests.fakes.engine NUMBER

It answers ``said: ...``, in an order of its own. Words in a prompt tell it to do otherwise:
``die`` ends it, ``hang`` leaves the prompt without an answer, ``refuse`` answers with an error,
``slow`` takes a while. With the variable FAKE_ENGINE it does not start ("broken"), never gets
ready ("stuck"), or ends with each prompt ("frail").
"""

import contextlib
import os
import sys
import time
from multiprocessing.connection import Connection

from pipeline.captioner import Answer
from pipeline.engine_messages import Ask, EngineProcess, Ready, Said, Start, connection_of
from pipeline.engine_settings import EngineRun, EngineSettings

COMMAND = (sys.executable, "-m", "tests.fakes.engine")


def start_fake(settings: EngineSettings, run: EngineRun, mood: str = "") -> EngineProcess:
    """Start one."""
    return EngineProcess(COMMAND, Start(settings=settings, run=run), {"FAKE_ENGINE": mood})


def answer(ask: Ask) -> Answer:
    content = ask.messages[-1]["content"]
    if "refuse" in content:
        return Answer(text="", finish_reason="error", error="refused: ValueError")
    if isinstance(content, list):
        sizes = {digest: len(image) for digest, image in ask.images.items()}
        content = f"{content[-1]['text']} with {sizes[content[0]['digest']]} bytes"
    return Answer(text=f"said: {content}", tokens_in=10, tokens_out=5)


def take(pipe: Connection, held: list[Ask], *, is_frail: bool) -> None:
    """Take what is there; wait for something where nothing is held."""
    while pipe.poll(0.0 if held else None):
        ask = pipe.recv()
        words = str(ask.messages[-1]["content"])
        if "die" in words or is_frail:
            os._exit(1)
        if "hang" not in words:
            held.append(ask)


def main() -> None:
    pipe = connection_of(sys.argv[1])
    pipe.recv()
    mood = os.environ["FAKE_ENGINE"]
    if mood == "broken":
        raise ValueError("no such model")
    if mood == "stuck":
        time.sleep(60)
    pipe.send(Ready())
    held: list[Ask] = []
    with contextlib.suppress(EOFError, OSError):
        while True:
            take(pipe, held, is_frail=mood == "frail")
            ask = held.pop()  # the last one first
            if "slow" in str(ask.messages[-1]["content"]):
                time.sleep(0.01)
            pipe.send(Said(number=ask.number, answer=answer(ask), cached=4))


if __name__ == "__main__":
    main()
