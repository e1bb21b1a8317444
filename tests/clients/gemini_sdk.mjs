// One call of the Google Gen AI SDK.

import { GoogleGenAI } from "@google/genai";
import { GATE, KEY, classes, say } from "./said.mjs";

const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: GATE } });
try {
  await client.models.generateContent({ model: "any", contents: "hello" });
  say({ error: null });
} catch (why) {
  say({ error: classes(why), status: why.status, message: why.message });
}
