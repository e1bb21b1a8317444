"""Calls of an MCP server's tools, in the order in which TOOLS names them; `-` lists the tools. PROTOCOL is the newest version, which
has no handshake, or `legacy`. Says what came of each."""

import asyncio
import os

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult
from said import GATE, KEY, classes, say

asked = []


async def answer(_context, params):
    asked.append(params.message)
    wanted = next(iter(params.requested_schema["properties"]))
    return ElicitResult(action="accept", content={wanted: {"city": "Oslo", "day": "Monday"}[wanted]})


async def call(client, tool):
    try:
        if tool == "-":
            return {"tools": sorted(tool.name for tool in (await client.list_tools()).tools)}
        result = await client.call_tool(tool, {"text": "it"} if tool == "search" else {})
        return {"text": result.content[0].text, "is_error": result.is_error}
    except MCPError as why:
        return {"error": classes(why), "code": why.code, "message": why.message, "data": why.data}


async def main():
    http = httpx2.AsyncClient(headers={"x-api-key": KEY})
    transport = streamable_http_client(f"{GATE}/mcp", http_client=http)
    async with Client(transport, mode=os.environ["PROTOCOL"], elicitation_callback=answer) as client:
        calls = [await call(client, tool) for tool in os.environ["TOOLS"].split()]
        say(version=client.protocol_version, calls=calls, asked=asked)


asyncio.run(main())
