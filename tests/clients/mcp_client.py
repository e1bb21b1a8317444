"""One call of a tool by an MCP client; PROTOCOL is the newest version, which has no handshake, or `legacy`."""

import asyncio
import os

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from said import GATE, KEY, classes, say


async def main():
    http = httpx2.AsyncClient(headers={"x-api-key": KEY})
    transport = streamable_http_client(f"{GATE}{os.environ['ENDPOINT']}", http_client=http)
    async with Client(transport, mode=os.environ["PROTOCOL"]) as client:
        try:
            result = await client.call_tool("forecast", {"city": "Oslo"})
            say(error=None, result=result.model_dump(mode="json", by_alias=True))
        except MCPError as why:
            say(error=classes(why), code=why.code, message=why.message, data=why.data)


asyncio.run(main())
