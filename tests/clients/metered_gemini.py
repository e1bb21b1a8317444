"""Calls of the Google Gen AI SDK that cost what they use: one that isn't streamed, and one that is.

ANSWER steers what the upstream answers."""

import os

from google import genai
from said import GATE, KEY, say

steered = {"x-answer": os.environ["ANSWER"]}
client = genai.Client(api_key=KEY, http_options={"base_url": GATE, "headers": steered})


def used(answer):
    return answer.usage_metadata and answer.usage_metadata.model_dump(mode="json")


def generate():
    answer = client.models.generate_content(model="gemini-3-pro", contents="hello")
    return {"text": answer.text, "usage": used(answer)}


def stream():
    seen = {"text": "", "chunks": 0, "usage": None}
    for part in client.models.generate_content_stream(model="gemini-3-pro", contents="hello"):
        seen["chunks"] += 1
        seen["text"] += part.text or ""
        seen["usage"] = used(part) or seen["usage"]
    return seen


say(calls={"gemini": generate(), "gemini, streamed": stream()})
