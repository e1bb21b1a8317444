"""An agent as the A2A SDK makes one, on PORT: JSON-RPC at /a2a/rpc, REST at /a2a/rest, each in versions 1.0 and 0.3. GATE is where its
clients reach it. `/carried-out` says how many messages it has worked on."""

import os

import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_artifact_update_event, new_text_status_update_event
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, TaskState
from a2a.utils.errors import UnsupportedOperationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

GATE = os.environ["GATE"]
carried_out = {"messages": 0}


class Agent(AgentExecutor):
    async def execute(self, context, queue):
        if context.get_user_input() == "impossible":
            raise UnsupportedOperationError("not with me")
        carried_out["messages"] += 1
        task = context.current_task or new_task_from_user_message(context.message)
        await queue.enqueue_event(task)
        ids = {"task_id": task.id, "context_id": task.context_id}
        await queue.enqueue_event(new_text_status_update_event(state=TaskState.TASK_STATE_WORKING, text="at work", **ids))
        await queue.enqueue_event(new_text_artifact_update_event(name="result", text="done", **ids))
        await queue.enqueue_event(new_text_status_update_event(state=TaskState.TASK_STATE_COMPLETED, text="ready", **ids))

    async def cancel(self, context, queue):
        raise UnsupportedOperationError("too late")


def interface(binding, path, version):
    return AgentInterface(protocol_binding=binding, url=f"{GATE}/a2a/{path}", protocol_version=version)


card = AgentCard(
    name="a story's agent",
    description="works",
    version="1",
    supported_interfaces=[interface(*one, version) for one in (("JSONRPC", "rpc"), ("HTTP+JSON", "rest")) for version in ("1.0", "0.3")],
    capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[AgentSkill(id="work", name="work", description="works", tags=["work"])],
)
handler = DefaultRequestHandler(agent_executor=Agent(), task_store=InMemoryTaskStore(), agent_card=card)
routes = [
    *create_agent_card_routes(card, card_url="/a2a/.well-known/agent-card.json"),
    *create_jsonrpc_routes(handler, "/a2a/rpc", enable_v0_3_compat=True),
    *create_rest_routes(handler, path_prefix="/a2a/rest", enable_v0_3_compat=True),
    Route("/carried-out", lambda _request: JSONResponse(carried_out)),
]
uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
