// The like of generated_admin.py, with the types that openapi-typescript generated from docs/openapi.json, and openapi-fetch.

import createClient from "openapi-fetch";
import type { components, paths } from "./admin_api.js";

declare const process: { env: Record<string, string | undefined> };
type Problem = components["schemas"]["Problem"];

const ACCOUNT = "by-typescript";
const { GATE, ADMIN, TOKEN } = process.env;
const client = createClient<paths>({ baseUrl: ADMIN, headers: { authorization: `Bearer ${TOKEN}` } });
const fresh = () => ({ "idempotency-key": crypto.randomUUID() });
const account = { id: ACCOUNT };

// What was answered; a program that isn't a test would look at `error.code`.
function done<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const body = { id: ACCOUNT, name: "By TypeScript" };
const opened = done(await client.POST("/admin/v1/accounts", { body, params: { header: fresh() } }));
const again = await client.POST("/admin/v1/accounts", { body, params: { header: fresh() } });

const grant = done(
  await client.POST("/admin/v1/accounts/{id}/grants", {
    body: { amount: "10", expires_at: "2099-01-01T00:00:00Z", source: "invoice 4711" },
    params: { path: account, header: fresh() },
  }),
);
const key = done(
  await client.POST("/admin/v1/accounts/{id}/keys", { body: { note: "production" }, params: { path: account, header: fresh() } }),
);
const budget = done(
  await client.POST("/admin/v1/accounts/{id}/budgets", {
    body: { credits: "5", period: "day", scope: "key", target: key.id },
    params: { path: account, header: fresh() },
  }),
);

for (let n = 0; n < 2; n++) {
  const answer = await fetch(GATE!, { headers: { "x-api-key": key.key! } });
  if (!answer.ok) throw new Error(await answer.text());
}
const look = async () => ({
  usage: done(await client.GET("/admin/v1/accounts/{id}/usage", { params: { path: account } })),
  balance: done(await client.GET("/admin/v1/accounts/{id}/balance", { params: { path: account } })),
});
let { usage, balance } = await look();
// What is in a gateway's lease can't be taken back.
for (let n = 0; n < 600 && (usage.total.requests !== 2 || balance.held !== "0"); n++) {
  await new Promise(resolve => setTimeout(resolve, 50));
  ({ usage, balance } = await look());
}

const correction = done(
  await client.POST("/admin/v1/grants/{id}/void", {
    body: { note: "by mistake" },
    params: { path: { id: grant.id }, header: fresh() },
  }),
);
done(
  await client.PUT("/admin/v1/prices/{id}", {
    body: { prices: { input: "1.25", output: "10" } },
    params: { path: { id: "openai/gpt-5" }, header: fresh() },
  }),
);
const trail = done(await client.GET("/admin/v1/trail", { params: { query: { account: ACCOUNT } } }));

console.log(
  JSON.stringify({
    account: opened.id,
    again: again.error?.code,
    expires: new Date(grant.expires_at!).getUTCFullYear(),
    budget: budget.credits,
    spent: balance.spent,
    available: balance.available,
    lines: usage.lines.map(line => [line.key === key.id, line.credits]),
    voided: (await look()).balance.voided,
    correction: correction.kind,
    commands: trail.entries.map(entry => entry.command),
    after: trail.entries.at(-1)?.after["id"],
  }),
);
