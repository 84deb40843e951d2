"""How fast requests go out and answers are kept, against loops that only send.

A server on this machine answers each request after a pause; nothing is computed. The floor is a
plain asyncio loop over a pool of connections, with nothing kept and nothing tried again: once with
aiohttp, where it is installed, and once with the client that the captioner sends with. Ours asks
through the store of answers: each answer is in a journal, synced at least every 0.2 s, before it is
handed on. `ours, mailed` asks through the questions and answers that go between the tasks and the
engine of a cluster as well, without the network between them.

Each client runs in a process of its own; CPU time is that process's alone.

    python benchmarks/orchestrate.py [--requests 2000] [--in-flight 64] [--pause-ms 100]
                                     [--image-kb 0] [--runs 3]
"""

import argparse
import asyncio
import base64
import importlib.util
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.table import Table

PNG = b"\x89PNG\r\n\x1a\n"
REPLY = json.dumps(
    {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"caption": "' + "word " * 40 + '"}'},
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 60, "total_tokens": 260},
    }
).encode()


def serve(pipe: Connection, pause_seconds: float) -> None:
    """A server that answers everything with the same words, after a pause."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    answer = head % len(REPLY) + REPLY

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                sizes = [line[15:] for line in lines if line.startswith(b"content-length:")]
                await reader.readexactly(int(sizes[0]))
                await asyncio.sleep(pause_seconds)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(one, "127.0.0.1", 0, limit=64 << 20, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def body(number: int, image: bytes) -> dict:
    """What the floor sends: as large as ours."""
    text = f"The facts of image {number}: " + "fact " * 100
    content: object = text
    if image:
        url = "data:image/png;base64," + base64.b64encode(image).decode()
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


async def floor_aiohttp(url: str, count: int, in_flight: int, image: bytes) -> None:
    """The floor of the fastest client there is."""
    import aiohttp

    turn = asyncio.Semaphore(in_flight)
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(number: int) -> str:
            async with turn, session.post(f"{url}/chat/completions", json=body(number, image)) as r:
                return (await r.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*map(one, range(count)))


async def floor_httpx2(url: str, count: int, in_flight: int, image: bytes) -> None:
    """The floor of the client that the captioner sends with."""
    import httpx2

    turn = asyncio.Semaphore(in_flight)
    limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

        async def one(number: int) -> str:
            async with turn:
                said = await client.post(f"{url}/chat/completions", json=body(number, image))
            return said.json()["choices"][0]["message"]["content"]

        await asyncio.gather(*map(one, range(count)))


def ours(url: str, count: int, in_flight: int, image: bytes, *, mailed: bool = False) -> None:
    """Through the store of answers, as a build asks."""
    from pipeline.answers import AnswerStore
    from pipeline.ask_engines import EngineAsker
    from pipeline.ask_workers import PartitionAsker
    from pipeline.asking import Asking
    from pipeline.digests import digest_bytes
    from pipeline.engine_mail import MailRoom
    from pipeline.model_request import Request
    from pipeline.openai_captioner import OpenAICaptioner
    from pipeline.server_settings import ServerSettings

    class Mail:
        def __init__(self, room: MailRoom) -> None:
            self.room = room

        async def put(self, client: str, questions: Sequence) -> str:
            await self.room.put(client, questions)
            return "one life"

        async def take(self, client: str) -> tuple[str, list]:
            return "one life", await self.room.take(client)

    digest = digest_bytes(image) if image else ""
    settings = ServerSettings(
        base_urls=(url,), concurrency=in_flight, allow_image_egress=bool(image)
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        AnswerStore(Path(folder)) as store,
        OpenAICaptioner(settings) as captioner,
    ):
        asking = Asking(captioner=captioner, store=store)
        wanted = [
            Request(
                model="m", revision="r", system="Say what is there.", image_digest=digest,
                user=f"The facts of image {number}: " + "fact " * 100,
            )
            for number in range(count)
        ]  # fmt: skip
        if mailed:
            room = MailRoom(asking, "engine-0000")
            with EngineAsker([Mail(room)]) as asker:
                answers = [f.result() for f in [asker.submit(w, image) for w in wanted]]
            room.close()
        else:
            with store.open("p") as partition:
                to = PartitionAsker(asking, partition)
                answers = [f.result() for f in [to.submit(w, image) for w in wanted]]
        assert not [answer.error for answer in answers if answer.error]


def client(name: str, url: str, count: int, in_flight: int, image: bytes, pipe: Connection) -> None:
    """Run one client; say its wall and CPU seconds."""
    started = time.monotonic()
    if name == "asyncio, aiohttp":
        asyncio.run(floor_aiohttp(url, count, in_flight, image))
    elif name == "asyncio, httpx2":
        asyncio.run(floor_httpx2(url, count, in_flight, image))
    else:
        ours(url, count, in_flight, image, mailed=name == "ours, mailed")
    used = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send((time.monotonic() - started, used.ru_utime + used.ru_stime))


def measure(name: str, *given: object) -> tuple[float, float]:
    """Wall and CPU seconds of a client in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=client, args=(name, *given, there))
    process.start()
    said = here.recv()
    process.join()
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--pause-ms", type=float, default=100)
    parser.add_argument("--image-kb", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, given.pause_ms / 1000), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    image = PNG + os.urandom(given.image_kb << 10) if given.image_kb else b""
    names = ["asyncio, httpx2", "ours, durable journal", "ours, mailed"]
    if importlib.util.find_spec("aiohttp"):
        names.insert(0, "asyncio, aiohttp")
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(given.runs):
        for name in names:  # in turn, so that other work on the machine falls on all of them
            runs[name].append(measure(name, url, given.requests, given.in_flight, image))
    server.kill()
    show(runs, given)


def show(runs: dict[str, list[tuple[float, float]]], given: argparse.Namespace) -> None:
    """Medians, and the share of the faster floor."""
    table = Table(
        title=f"{given.requests:,} requests, {given.in_flight} in flight, {given.pause_ms:g} ms, "
        f"images of {given.image_kb} KB; median of {given.runs}; at best "
        f"{1000 * given.in_flight / given.pause_ms:,.0f} requests/s",
        title_justify="left",
    )
    for column in ("client", "requests/s", "of the floor", "CPU ms a row", "load"):
        table.add_column(column, justify="left" if column == "client" else "right")
    rates = {
        name: given.requests / statistics.median(wall for wall, _ in said)
        for name, said in runs.items()
    }
    floor = max(rate for name, rate in rates.items() if name.startswith("asyncio"))
    for name, said in runs.items():
        cpu_ms = 1000 * statistics.median(cpu for _, cpu in said) / given.requests
        table.add_row(name, f"{rates[name]:,.0f}", f"{rates[name] / floor:.0%}", f"{cpu_ms:.2f}",
                      f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
