// One call of a tool by an MCP client of the first generation, which has a handshake.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ENDPOINT, GATE, KEY, classes, say } from "./said.mjs";

const transport = new StreamableHTTPClientTransport(new URL(ENDPOINT, GATE), { requestInit: { headers: { "x-api-key": KEY } } });
const client = new Client({ name: "a story", version: "1" });
try {
  await client.connect(transport);
  const result = await client.callTool({ name: "forecast", arguments: { city: "Oslo" } });
  say({ error: null, result });
} catch (why) {
  say({ error: classes(why), code: why.code, message: why.message, data: why.data });
}
await client.close();
