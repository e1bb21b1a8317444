"""GET requests over HTTP/3, one after the other on one connection: a status for each of PATHS."""

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

    async def get(self, path):
        stream = self._quic.get_next_available_stream_id()
        answer = asyncio.get_running_loop().create_future()
        self.answers[stream] = answer, None
        head = {":method": "GET", ":scheme": "https", ":authority": HOST, ":path": path, "x-api-key": KEY}
        self.http.send_headers(stream, [(name.encode(), head[name].encode()) for name in head], end_stream=True)
        self.transmit()
        return await asyncio.wait_for(answer, 20)


async def main():
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], verify_mode=ssl.CERT_REQUIRED)
    configuration.load_verify_locations(os.environ["AUTHORITY"])
    async with connect(HOST, int(PORT), configuration=configuration, create_protocol=Client) as client:
        say(statuses=[await client.get(path) for path in os.environ["PATHS"].split()])


asyncio.run(main())
