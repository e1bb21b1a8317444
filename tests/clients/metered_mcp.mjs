// The like of metered_mcp.py.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { GATE, KEY, PROTOCOL, classes, say } from "./said.mjs";

const asked = [];
const transport = new StreamableHTTPClientTransport(new URL("/mcp", GATE), { requestInit: { headers: { "x-api-key": KEY } } });
const mode = PROTOCOL === "legacy" ? "legacy" : { pin: PROTOCOL };
const client = new Client({ name: "a story", version: "1" }, { versionNegotiation: { mode }, capabilities: { elicitation: { form: {} } } });
client.setRequestHandler("elicitation/create", ({ params }) => {
  asked.push(params.message);
  const [wanted] = Object.keys(params.requestedSchema.properties);
  return { action: "accept", content: { [wanted]: { city: "Oslo", day: "Monday" }[wanted] } };
});

async function call(tool) {
  try {
    if (tool === "-") return { tools: (await client.listTools()).tools.map(({ name }) => name).sort() };
    const result = await client.callTool({ name: tool, arguments: tool === "search" ? { text: "it" } : {} });
    return { text: result.content[0].text, is_error: result.isError ?? false };
  } catch (why) {
    return { error: classes(why), code: why.code, message: why.message, data: why.data };
  }
}

await client.connect(transport);
const calls = [];
for (const tool of process.env.TOOLS.split(" ")) calls.push(await call(tool));
say({ version: client.getNegotiatedProtocolVersion?.(), calls, asked });
await client.close();
