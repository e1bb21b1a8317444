"""Requests over HTTP/3, one after the other on one connection: a status for each of PATHS.

A path is asked for by GET. `trailers:/x` is a POST with a body and trailers, `leave:/x` a GET whose client leaves after a
moment (its status is null)."""

import asyncio
import os
import ssl

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from said import GATE, KEY, say

HOST, PORT = GATE.removeprefix("http://").split(":")


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        for seen in self.http.handle_event(event):
            answer, status = self.answers[seen.stream_id]
            if isinstance(seen, HeadersReceived):
                status = int(dict(seen.headers)[b":status"])
                self.answers[seen.stream_id] = answer, status
            if seen.stream_ended and not answer.done():
                answer.set_result(status)

    async def ask(self, path):
        how, _, path = path.rpartition(":")
        stream = self._quic.get_next_available_stream_id()
        answer = asyncio.get_running_loop().create_future()
        self.answers[stream] = answer, None
        method = "POST" if how == "trailers" else "GET"
        head = {":method": method, ":scheme": "https", ":authority": HOST, ":path": path, "x-api-key": KEY}
        head = [(name.encode(), head[name].encode()) for name in head]
        self.http.send_headers(stream, head, end_stream=how != "trailers")
        if how == "trailers":
            self.http.send_data(stream, b"{}", end_stream=False)
            self.http.send_headers(stream, [(b"x-checksum", b"1")], end_stream=True)
        self.transmit()
        if how == "leave":
            await asyncio.sleep(0.5)
            self._quic.reset_stream(stream, 0x10C)
            self._quic.stop_stream(stream, 0x10C)
            self.transmit()
            return None
        return await asyncio.wait_for(answer, 20)


async def main():
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], verify_mode=ssl.CERT_REQUIRED)
    configuration.load_verify_locations(os.environ["AUTHORITY"])
    async with connect(HOST, int(PORT), configuration=configuration, create_protocol=Client) as client:
        say(statuses=[await client.ask(path) for path in os.environ["PATHS"].split()])


asyncio.run(main())
