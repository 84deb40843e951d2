"""A server that speaks like a model's, on this machine, and misbehaves as it is told."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias


@dataclass(frozen=True, kw_only=True)
class Say:
    """What the server does with one request.

    Attributes:
        status: Status of HTTP.
        body: What it sends; the answer to the prompt where None.
        headers: More headers.
        wait_seconds: Before it answers.
        cut_at: After so many bytes of the body the connection ends.
        drip_seconds: Between one byte and the next.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    cut_at: int | None = None
    drip_seconds: float = 0.0


Script: TypeAlias = Callable[[int, dict[str, Any]], Say]


def user_text(body: Mapping[str, Any]) -> str:
    """The text of the user in a request."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def completion(text: str, **message: Any) -> bytes:
    """The body of an answer."""
    return json.dumps(
        {
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text, **message},
                }
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
    ).encode()


class ModelServer:
    """Answers each prompt with its own words, or as the script says.

    Attributes:
        bodies: The requests, in the order in which they came.
        headers: Their headers, in small letters.
        times: When they came, in seconds of the loop.
        there: How many are there now.
        peak: The most that were there at once.
        script: What is done with each.
    """

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        self.script = script or (lambda _number, _body: Say())
        self._port = port
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.peak = 0
        self.there = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def asked(self) -> list[str]:
        """The texts of the users."""
        return [user_text(body) for body in self.bodies]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self._port)
        )
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        self.bodies.append(body)
        self.headers.append(headers)
        self.times.append(self._loop.time())
        self.there += 1
        self.peak = max(self.peak, self.there)
        try:
            say = self.script(len(self.bodies), body)
            await asyncio.sleep(say.wait_seconds)
        finally:
            self.there -= 1
        return await _send(writer, say, body)


async def _send(writer: asyncio.StreamWriter, say: Say, body: Mapping[str, Any]) -> bool:
    content = say.body
    if content is None:
        content = completion(f"said: {user_text(body)}")
    headers = {"content-type": "application/json", **say.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {say.status} X\r\n{lines}content-length: {len(content)}\r\n\r\n"
    writer.write(head.encode())
    sent = content if say.cut_at is None else content[: say.cut_at]
    if say.drip_seconds:
        for place in range(len(sent)):
            writer.write(sent[place : place + 1])
            await writer.drain()
            await asyncio.sleep(say.drip_seconds)
    else:
        writer.write(sent)
    await writer.drain()
    return say.cut_at is None
