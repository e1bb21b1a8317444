"""Calls of the Anthropic SDK that cost what they use: a message, and a stream whose parts it puts together itself.

ANSWER steers what the upstream answers."""

import os

import anthropic
from said import GATE, KEY, say

client = anthropic.Anthropic(base_url=GATE, api_key=KEY)
steered = {"x-answer": os.environ["ANSWER"]}
asked = {"model": "claude-opus-5", "max_tokens": 1000, "messages": [{"role": "user", "content": "hello"}]}


def create():
    answer = client.messages.create(**asked, extra_headers=steered)
    return {"text": answer.content[0].text, "usage": answer.usage.model_dump(mode="json")}


def stream():
    with client.messages.stream(**asked, extra_headers=steered) as events:
        words = list(events.text_stream)
        answer = events.get_final_message()
    return {"text": "".join(words), "chunks": len(words), "usage": answer.usage.model_dump(mode="json")}


say(calls={"messages": create(), "messages, streamed": stream()})
