"""An MCP server as its SDK makes one, at /mcp on PORT. It speaks every version: since 2026-07-28 a tool that needs more of its
user answers with `input_required`, before that it asks within the call. `/carried-out` says how often each tool did its work."""

import json
import os
from collections import Counter
from typing import Annotated

from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel
from starlette.responses import JSONResponse

server = MCPServer("a story's tools")
carried_out = Counter()


class City(BaseModel):
    city: str


class Day(BaseModel):
    day: str


async def which_city(ctx: Context) -> Elicit[City]:
    return Elicit("Which city?", City)


async def which_day(ctx: Context, city: Annotated[City, Resolve(which_city)]) -> Elicit[Day]:
    return Elicit(f"Which day in {city.city}?", Day)


@server.tool()
def search(text: str) -> str:
    carried_out["search"] += 1
    return f"found {text}"


@server.tool(name="report-sales")
async def report_sales(ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    carried_out["report-sales"] += 1
    return "sold"


@server.tool()
def forecast(city: Annotated[City, Resolve(which_city)], day: Annotated[Day, Resolve(which_day)]) -> str:
    carried_out["forecast"] += 1
    return f"sunny in {city.city} on {day.day}"


@server.tool()
def fails() -> str:
    carried_out["fails"] += 1
    raise ToolError("out of order")


@server.tool()
def broken() -> str:
    raise MCPError(-32050, "this can't be called")


@server.tool()
def help() -> str:
    carried_out["help"] += 1
    return "helped"


@server.custom_route("/carried-out", methods=["GET"])
async def says(_request):
    return JSONResponse(carried_out)


server.run("streamable-http", host="127.0.0.1", port=int(os.environ["PORT"]), json_response=os.environ.get("JSON") == "yes")
