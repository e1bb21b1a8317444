"""One call of the OpenAI SDK."""

import openai
from said import GATE, KEY, classes, say

client = openai.OpenAI(base_url=f"{GATE}/v1", api_key=KEY)
try:
    client.chat.completions.create(model="any", messages=[{"role": "user", "content": "hello"}])
    say(error=None)
except openai.APIError as why:
    whole = why.response.json()
    say(error=classes(why), status=why.status_code, code=why.code, type=why.type, message=why.message, remedies=whole.get("remedies"))
