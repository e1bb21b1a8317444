"""One call of the Google Gen AI SDK."""

from google import genai
from google.genai import errors
from said import GATE, KEY, classes, say

client = genai.Client(api_key=KEY, http_options={"base_url": GATE})
try:
    client.models.generate_content(model="any", contents="hello")
    say(error=None)
except errors.APIError as why:
    say(error=classes(why), status=why.code, state=why.status, message=why.message, body=why.details)
