"""Replies of a server are read up to a size, and never unpacked: a few bytes could fill memory."""

from collections.abc import AsyncIterator

import httpx2

_LARGEST = 16 << 20  # bytes


async def limit_reply(response: httpx2.Response) -> None:
    """Let the reply end in an error where it is larger than any answer; before it is read.

    Raises:
        httpx2.DecodingError: It is packed.
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("a reply is packed, which was not asked for")
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)
    response.stream = _Limited(stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _LARGEST
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise httpx2.ReadError("a reply is larger than any answer")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
