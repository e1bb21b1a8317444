// The like of metered_openai.py.

import OpenAI from "openai";
import { GATE, KEY, say } from "./said.mjs";

const client = new OpenAI({ baseURL: `${GATE}/v1`, apiKey: KEY });
const steered = { headers: { "x-answer": process.env.ANSWER } };
const messages = [{ role: "user", content: "hello" }];

async function chat() {
  const answer = await client.chat.completions.create({ model: "gpt-5", messages }, steered);
  return { text: answer.choices[0].message.content, usage: answer.usage };
}

async function stream(more) {
  const seen = { text: "", chunks: 0, empty: 0, usage: null };
  for await (const chunk of await client.chat.completions.create({ model: "gpt-5", messages, stream: true, ...more }, steered)) {
    seen.chunks += 1;
    seen.empty += chunk.choices.length === 0 ? 1 : 0;
    seen.usage = chunk.usage ?? seen.usage;
    seen.text += chunk.choices.map((choice) => choice.delta.content ?? "").join("");
  }
  return seen;
}

async function respond() {
  const answer = await client.responses.create({ model: "gpt-5", input: "hello" }, steered);
  return { text: answer.output_text, usage: answer.usage };
}

async function respondInAStream() {
  const seen = { text: "", chunks: 0, usage: null };
  for await (const event of await client.responses.create({ model: "gpt-5", input: "hello", stream: true }, steered)) {
    seen.chunks += 1;
    if (event.type === "response.output_text.delta") seen.text += event.delta;
    if (event.type === "response.completed") seen.usage = event.response.usage;
  }
  return seen;
}

async function embed() {
  const answer = await client.embeddings.create({ model: "text-embedding-4", input: "hello" }, steered);
  return { text: "", usage: answer.usage, size: answer.data[0].embedding.length };
}

say({
  calls: {
    chat: await chat(),
    stream: await stream({}),
    "stream with options": await stream({ stream_options: { include_obfuscation: false } }),
    "stream with usage": await stream({ stream_options: { include_usage: true } }),
    responses: await respond(),
    "responses, streamed": await respondInAStream(),
    embeddings: await embed(),
  },
});
