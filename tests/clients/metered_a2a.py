"""A client of an agent. It reads the agent's card, then does what CALLS names: `send` and `stream` a message, `impossible` one, `get` the
task of the last message, `list` all. BINDING and PROTOCOL choose among the card's interfaces. Says what came of each."""

import asyncio
import os

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import GetTaskRequest, ListTasksRequest, Role, SendMessageRequest
from a2a.utils.errors import A2AError
from said import GATE, KEY, classes, say

BINDING, PROTOCOL = os.environ["BINDING"], os.environ["PROTOCOL"]


async def main():
    http = httpx.AsyncClient(headers={"x-api-key": KEY})
    card = await A2ACardResolver(http, f"{GATE}/a2a").get_agent_card()
    chosen = [one for one in card.supported_interfaces if (one.protocol_binding, one.protocol_version) == (BINDING, PROTOCOL)]
    del card.supported_interfaces[:]
    card.supported_interfaces.extend(chosen)
    clients = {
        streaming: ClientFactory(ClientConfig(streaming=streaming, httpx_client=http, supported_protocol_bindings=[BINDING])).create(card)
        for streaming in (False, True)
    }
    last = None

    async def message(text, streaming):
        nonlocal last
        request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
        events = []
        async for event in clients[streaming].send_message(request):
            events.append(event.WhichOneof("payload"))
            if event.HasField("task"):
                last = event.task.id
        return {"events": events}

    async def call(name):
        try:
            if name == "get":
                task = await clients[False].get_task(GetTaskRequest(id=last))
                return {"artifact": task.artifacts[0].parts[0].text}
            if name == "list":
                return {"tasks": len((await clients[False].list_tasks(ListTasksRequest())).tasks)}
            return await message(name, name == "stream")
        except A2AError as why:
            return {"error": classes(why), "message": str(why), "data": getattr(why, "data", None)}

    say(name=card.name, calls=[await call(name) for name in os.environ["CALLS"].split()])


asyncio.run(main())
