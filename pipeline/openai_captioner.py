"""A model behind any OpenAI-compatible server; no other module uses its client.

One event loop in a thread of its own sends what it is given, many at a time, and finds out how
many each server takes. An error of one prompt is that prompt's alone and comes back as its answer;
what no other prompt would survive (a wrong key, a model that is not there, servers that are gone, a
budget that is spent) is raised to everybody, so that nothing is left out on its account.

The key is read from the environment and handed to the client alone; no message of a server, no
prompt and no image is repeated in an error.
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import TypeAlias

import httpx2
import openai

from converters.errors import GmaiError, SettingsError
from pipeline.captioner import Answer, Usage
from pipeline.chat_body import Body, body_of, most_tokens
from pipeline.limited_reply import limit_reply
from pipeline.model_captioner import ModelCaptionerBase, OnAnswer, require_named_image
from pipeline.model_request import Request
from pipeline.pace import Turns, again, backoff_seconds
from pipeline.reply import (
    Failure,
    failure_of_status,
    read_reply,
    retry_after_seconds,
)
from pipeline.server_settings import ServerSettings
from pipeline.token_budget import TokenBudget

_NO_KEY = "none"  # what servers without keys are told
_CONNECT_SECONDS = 10.0
_REFUSED_AT_FIRST = 20  # prompts refused in a row, none answered before: it is not the prompts

Said: TypeAlias = httpx2.Response | openai.APIError | TimeoutError


class OpenAICaptioner(ModelCaptionerBase):
    """Asks OpenAI-compatible servers.

    Attributes:
        name: "openai".
        usage: What was used so far.

    Args:
        server: Where and how fast.

    Raises:
        SettingsError: The key is not in the environment.
    """

    name = "openai"

    def __init__(self, server: ServerSettings) -> None:
        self._server = server
        self.usage = Usage()
        key = server.api_key.read() if server.api_key else _NO_KEY
        self._clients = [_client(url, key, server) for url in server.base_urls]
        self._turns = Turns(servers=len(self._clients), most=server.concurrency)
        self._budget = TokenBudget(
            per_minute=server.max_tokens_per_minute, total=server.budget_tokens
        )
        self._gone_since: float | None = None
        self._refused = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gmai-openai", daemon=True)
        self._thread.start()

    @property
    def peak(self) -> int:
        """The most requests that were in flight at once."""
        return self._turns.peak

    def submit(
        self, request: Request, image: bytes = b"", on_answer: OnAnswer = lambda _answer: None
    ) -> "Future[Answer]":
        """Begin to ask, see :meth:`ModelCaptionerBase.submit`.

        Raises:
            SettingsError: Images may not be sent.
            ValueError: The image is not the one of the request.
        """
        self._require_image(request, image)
        future: Future[Answer] = Future()
        self._loop.call_soon_threadsafe(self._begin, request, image, on_answer, future)
        return future

    def close(self) -> None:
        """Stop; what is in flight is given up."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _require_image(self, request: Request, image: bytes) -> None:
        if not request.image_digest:
            return
        if not self._server.allow_image_egress:
            raise SettingsError(
                "captioner",
                "a prompt comes with an image, and images do not leave this machine",
                "allow it with --allow-image-egress, or use the mode facts",
            )
        require_named_image(request, image)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        while tasks := [*self._tasks]:  # another thread may still hand in some
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients:
            await client.close()

    def _begin(
        self, request: Request, image: bytes, on_answer: OnAnswer, future: "Future[Answer]"
    ) -> None:
        task = self._loop.create_task(self._serve(request, image, on_answer, future))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finish(done, future))

    def _finish(self, task: asyncio.Task[None], future: "Future[Answer]") -> None:
        self._tasks.discard(task)
        if future.done():
            return
        error = None if task.cancelled() else task.exception()
        if error:
            future.set_exception(error)
        else:
            future.cancel()

    async def _serve(
        self, request: Request, image: bytes, on_answer: OnAnswer, future: "Future[Answer]"
    ) -> None:
        outcome = await self._answer(request, image)
        if isinstance(outcome, GmaiError):
            future.set_exception(again(outcome))
            return
        if not outcome.error:
            on_answer(outcome)
        future.set_result(outcome)

    async def _answer(self, request: Request, image: bytes) -> Answer | GmaiError:
        """Try until there is an answer, or a reason why there is none."""
        body: Body = {}
        failure: Failure | None = None
        tries = failures = 0
        ends_at = float("inf")
        while True:
            try:
                place = await self._turns.take(is_next=failure is not None)
            except GmaiError as error:
                return error
            body = body or body_of(request, image)
            if failure is None or failure.is_unreached:
                # Its time begins with its first sending, not in the queue.
                ends_at = self._loop.time() + self._server.prompt_seconds
            elif self._loop.time() >= ends_at:
                self._turns.give_back(place)
                return self._given_up(failure, tries)
            outcome = await self._at(place, request, body, ends_at)
            if not isinstance(outcome, Failure):
                return outcome
            failure = outcome
            if failure.is_unreached:
                continue
            tries += failure.counts
            wait = failure.wait_seconds or backoff_seconds(failures)
            failures += 1
            is_late = self._loop.time() + wait >= ends_at
            if failure.is_final or tries >= self._server.tries or is_late:
                return self._given_up(failure, tries)
            await asyncio.sleep(wait)

    def _given_up(self, failure: Failure, tries: int) -> Answer:
        self.usage.failed += 1
        times = f", tried {tries} times" if tries > 1 else ""
        return Answer(text="", finish_reason="error", error=f"{failure.message}{times}")

    async def _at(
        self, place: int, request: Request, body: Body, ends_at: float
    ) -> Answer | Failure | GmaiError:
        """One try at one server that has room."""
        try:
            try:
                reserved = await self._budget.reserve(most_tokens(request))
            except GmaiError as error:
                self._turns.fail(error)
                return error
            sent_at = self._loop.time()
            seconds = min(self._server.request_seconds, ends_at - sent_at)
            spent = reserved.tokens  # where a try ends without an answer, it may be billed
            try:
                said = await self._send(place, body, seconds)
                outcome = self._judge(place, said, sent_at)
                spent = _cost(said, outcome, reserved.tokens)
            finally:
                self._budget.settle(reserved, spent)
            if isinstance(outcome, GmaiError):
                self._turns.fail(outcome)  # before its place is given to the next
            return outcome
        finally:
            self._turns.give_back(place)

    async def _send(self, place: int, body: Body, seconds: float) -> Said:
        """What comes back; errors as values, since those of the client hold key and prompt."""
        self.usage.sent += 1
        try:
            async with asyncio.timeout(seconds):
                return await self._clients[place].post(
                    "/chat/completions", body=body, cast_to=httpx2.Response
                )
        except (openai.APIError, TimeoutError) as error:
            return error

    def _judge(self, place: int, said: Said, sent_at: float) -> Answer | Failure | GmaiError:
        pace, now = self._turns.paces[place], self._loop.time()
        if _is_unreachable(said):
            pace.unreachable(now=now)
            return self._unreachable(place)
        self._gone_since = None
        if isinstance(said, httpx2.Response):
            pace.answered()
            return self._read(said.content)
        if isinstance(said, openai.APIStatusError):
            pause = retry_after_seconds(said.response.headers)
            failure = failure_of_status(
                said.status_code, said.body, pause, self._server.patience_seconds
            )
            if isinstance(failure, Failure) and failure.is_overload:
                pace.overloaded(sent_at=sent_at, now=now, pause_seconds=pause)
            return self._unless_all_are_refused(failure)
        if isinstance(said, openai.APITimeoutError | TimeoutError):
            pace.overloaded(sent_at=sent_at, now=now)
            return Failure(message=f"timeout: no answer within {now - sent_at:.0f} s")
        return Failure(message="cut: the connection ended before a whole answer was there")

    def _read(self, content: bytes) -> Answer | Failure:
        try:
            answer = read_reply(content)
        except ValueError as error:
            return Failure(message=f"unreadable: what the server sent {error}")
        self._refused = 0
        self.usage.answered += 1
        self.usage.tokens_in += answer.tokens_in
        self.usage.tokens_out += answer.tokens_out
        return answer

    def _unreachable(self, place: int) -> Failure | GmaiError:
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since <= self._server.patience_seconds:
            return Failure(message="unreachable: no server was there",
                           is_unreached=True, wait_seconds=0.01)  # fmt: skip
        return SettingsError(
            self._server.base_urls[place],
            f"could not be reached for {now - self._gone_since:.0f} s",
            "start the server, or check --base-url; every answer is kept: run the same command "
            "again",
        )

    def _unless_all_are_refused(self, failure: Failure | GmaiError) -> Failure | GmaiError:
        if isinstance(failure, GmaiError) or not failure.is_final:
            return failure
        self._refused += 1
        if self.usage.answered or self._refused < _REFUSED_AT_FIRST:
            return failure
        return SettingsError(
            "captioner",
            f"the server refused the first {self._refused} prompts; the last: {failure.message}",
            "where it knows no JSON schemas, use --structured none; where prompts are too long, "
            "serve the model with a longer context",
        )


def _cost(said: Said, outcome: Answer | Failure | GmaiError, reserved: int) -> int:
    """Tokens that a try is taken to have cost."""
    if isinstance(outcome, Answer):
        return outcome.tokens_in + outcome.tokens_out or reserved
    if isinstance(said, openai.APIStatusError) or _is_unreachable(said):
        return 0
    return reserved


def _is_unreachable(said: Said) -> bool:
    return isinstance(said, openai.APIConnectionError) and isinstance(
        said.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout
    )


def _client(url: str, key: str, server: ServerSettings) -> openai.AsyncOpenAI:
    seconds = httpx2.Timeout(server.request_seconds, connect=_CONNECT_SECONDS)
    most = server.concurrency
    transport = openai.DefaultAsyncHttpxClient(
        timeout=seconds,
        limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most),
        # A redirect would carry a prompt to somebody who was not named.
        follow_redirects=False,
        event_hooks={"response": [limit_reply]},
    )
    client = openai.AsyncOpenAI(
        base_url=url,
        api_key=key,
        timeout=seconds,
        max_retries=0,  # tries are counted here
        http_client=transport,
        default_headers={"Accept-Encoding": "identity"},
    )
    client.organization = client.project = None  # read from the environment, for one server only
    return client
