"""One call of the Anthropic SDK."""

import anthropic
from said import GATE, KEY, classes, say

client = anthropic.Anthropic(base_url=GATE, api_key=KEY)
try:
    client.messages.create(model="any", max_tokens=1, messages=[{"role": "user", "content": "hello"}])
    say(error=None)
except anthropic.APIStatusError as why:
    say(error=classes(why), status=why.status_code, message=why.message, body=why.body)
