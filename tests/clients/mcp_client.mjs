// One call of a tool by an MCP client that speaks the newest protocol.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { ENDPOINT, GATE, KEY, PROTOCOL, classes, say } from "./said.mjs";

const transport = new StreamableHTTPClientTransport(new URL(ENDPOINT, GATE), { requestInit: { headers: { "x-api-key": KEY } } });
const client = new Client({ name: "a story", version: "1" }, { versionNegotiation: { mode: { pin: PROTOCOL } } });
await client.connect(transport);
try {
  const result = await client.callTool({ name: "forecast", arguments: { city: "Oslo" } });
  say({ error: null, result });
} catch (why) {
  say({ error: classes(why), code: why.code, message: why.message, data: why.data });
}
await client.close();
