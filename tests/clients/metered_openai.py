"""Calls of the OpenAI SDK that cost what they use: a chat, streams that ask for their usage and that don't, responses, embeddings.

ANSWER steers what the upstream answers."""

import os

import openai
from said import GATE, KEY, say

client = openai.OpenAI(base_url=f"{GATE}/v1", api_key=KEY)
steered = {"x-answer": os.environ["ANSWER"]}
messages = [{"role": "user", "content": "hello"}]


def used(usage):
    return usage and usage.model_dump(mode="json")


def chat():
    answer = client.chat.completions.create(model="gpt-5", messages=messages, extra_headers=steered)
    return {"text": answer.choices[0].message.content, "usage": used(answer.usage)}


def stream(**more):
    seen = {"text": "", "chunks": 0, "empty": 0, "usage": None}
    for chunk in client.chat.completions.create(model="gpt-5", messages=messages, stream=True, extra_headers=steered, **more):
        seen["chunks"] += 1
        seen["empty"] += not chunk.choices
        seen["usage"] = used(chunk.usage) or seen["usage"]
        seen["text"] += "".join(choice.delta.content or "" for choice in chunk.choices)
    return seen


def respond():
    answer = client.responses.create(model="gpt-5", input="hello", extra_headers=steered)
    return {"text": answer.output_text, "usage": used(answer.usage)}


def respond_in_a_stream():
    seen = {"text": "", "chunks": 0, "usage": None}
    for event in client.responses.create(model="gpt-5", input="hello", stream=True, extra_headers=steered):
        seen["chunks"] += 1
        if event.type == "response.output_text.delta":
            seen["text"] += event.delta
        if event.type == "response.completed":
            seen["usage"] = used(event.response.usage)
    return seen


def embed():
    answer = client.embeddings.create(model="text-embedding-4", input="hello", extra_headers=steered)
    return {"text": "", "usage": used(answer.usage), "size": len(answer.data[0].embedding)}


say(
    calls={
        "chat": chat(),
        "stream": stream(),
        "stream with options": stream(stream_options={"include_obfuscation": False}),
        "stream with usage": stream(stream_options={"include_usage": True}),
        "responses": respond(),
        "responses, streamed": respond_in_a_stream(),
        "embeddings": embed(),
    }
)
