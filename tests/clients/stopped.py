"""A stream of an SDK that ends because nothing is left: it raises its own error, with the gate's text.

CALL is which; ANSWER steers what the upstream answers."""

import os

import anthropic
import openai
from said import GATE, KEY, say

steered = {"x-answer": os.environ["ANSWER"]}
messages = [{"role": "user", "content": "hello"}]
openai_client = openai.OpenAI(base_url=f"{GATE}/v1", api_key=KEY)
anthropic_client = anthropic.Anthropic(base_url=GATE, api_key=KEY)


def chat():
    return openai_client.chat.completions.create(model="gpt-5", messages=messages, stream=True, extra_headers=steered)


def respond():
    return openai_client.responses.create(model="gpt-5", input="hello", stream=True, extra_headers=steered)


def message():
    return anthropic_client.messages.create(
        model="claude-opus-5", max_tokens=8000, messages=messages, stream=True, extra_headers=steered
    )


def until_it_ends(call):
    events = 0
    try:
        for _ in call():
            events += 1
    except (openai.APIError, anthropic.APIError) as error:
        return {"events": events, "error": type(error).__name__, "text": str(error)}
    return {"events": events, "error": None}


calls = {"chat": chat, "responses": respond, "messages": message}
say(**until_it_ends(calls[os.environ["CALL"]]))
