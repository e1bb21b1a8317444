// The like of metered_mcp.py, by the client of the first generation.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { GATE, KEY, classes, say } from "./said.mjs";

const asked = [];
const transport = new StreamableHTTPClientTransport(new URL("/mcp", GATE), { requestInit: { headers: { "x-api-key": KEY } } });
const client = new Client({ name: "a story", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
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
say({ version: transport.protocolVersion, calls, asked });
await client.close();
