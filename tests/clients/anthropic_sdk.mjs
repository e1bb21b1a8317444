// One call of the Anthropic SDK.

import Anthropic from "@anthropic-ai/sdk";
import { GATE, KEY, classes, say } from "./said.mjs";

const client = new Anthropic({ baseURL: GATE, apiKey: KEY });
try {
  await client.messages.create({ model: "any", max_tokens: 1, messages: [{ role: "user", content: "hello" }] });
  say({ error: null });
} catch (why) {
  say({ error: classes(why), status: why.status, message: why.message, body: why.error });
}
