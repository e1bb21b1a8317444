// One call of the OpenAI SDK.

import OpenAI from "openai";
import { GATE, KEY, classes, say } from "./said.mjs";

const client = new OpenAI({ baseURL: `${GATE}/v1`, apiKey: KEY });
try {
  await client.chat.completions.create({ model: "any", messages: [{ role: "user", content: "hello" }] });
  say({ error: null });
} catch (why) {
  say({ error: classes(why), status: why.status, code: why.code, type: why.type, message: why.message });
}
