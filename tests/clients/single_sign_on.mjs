// Operators sign in to the console in BASE at a provider, in a browser: one whom a group lets in, one who is linked, one who is neither.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { count, say } from "./said.mjs";

const { BASE, CHROMIUM, PICTURES, SCRIPTS = 'on' } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const troubles = [];
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});

async function open() {
  const context = await browser.newContext({ viewport: { width: 390, height: 900 }, javaScriptEnabled: SCRIPTS === 'on' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const own = () => page.url().startsWith(BASE);
  page.on('console', (line) => line.type() === 'error' && own() && troubles.push(`${page.url()}: ${line.text()}`));
  page.on('pageerror', (error) => own() && troubles.push(`${page.url()}: ${error}`));
  return page;
}

async function look(page, name) {
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  if (wide > 0) troubles.push(`${name}: ${wide} pixels too wide`);
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
  if (SCRIPTS !== 'on') return;
  await page.evaluate(axe);
  const { violations } = await page.evaluate('axe.run(document, {resultTypes: ["violations"]})');
  for (const { id, nodes } of violations) troubles.push(`${name}: ${id}: ${nodes[0].html.slice(0, 200)}`);
}

// From a page of the console to the provider and back.
async function signIn(page, login) {
  await page.goto(`${BASE}/console/accounts`);
  await page.getByRole('link', { name: 'Continue with single sign-on' }).click();
  await page.getByRole('link', { name: login }).click();
  await page.waitForURL(`${BASE}/console**`);
}

const seen = {};
const page = await open();
await page.goto(`${BASE}/console`);
await look(page, 'sign-in');
await signIn(page, 'admin-anna');
await page.waitForURL(`${BASE}/console/accounts`);
seen.admin = await page.locator('.who bdi').innerText();
seen.scope = await page.locator('.who small').innerText();
await page.goto(`${BASE}/console/accounts/acme/suspend`);
await page.getByRole('button', { name: 'Suspend it' }).click();
seen.state = await page.locator('.head .state').innerText();
await page.goto(`${BASE}/console/operators`);
await look(page, 'operators');
await page.goto(`${BASE}/console/settings`);
await look(page, 'settings');

// Signing out ends the session at the provider, too, and leads back.
await page.getByRole('button', { name: 'Sign out' }).click();
await page.waitForURL((url) => !url.href.startsWith(BASE));
await page.getByRole('button', { name: 'Yes, sign me out' }).click();
await page.waitForURL(`${BASE}/console/sign-in**`);
await page.goto(`${BASE}/console/accounts`);
seen.after_sign_out = new URL(page.url()).pathname;
await page.getByRole('link', { name: 'Continue with single sign-on' }).click();
seen.asks_again = await count(page.getByRole('link', { name: 'admin-anna' }));

const linked = await open();
await signIn(linked, 'linked-lou');
await linked.waitForURL(`${BASE}/console/accounts`);
seen.linked = await linked.locator('.who bdi').innerText();
seen.linked_scope = await linked.locator('.who small').innerText();

const stranger = await open();
await signIn(stranger, 'stranger-sam');
seen.stranger = await stranger.locator('h1').innerText();
seen.command = await stranger.locator('pre').innerText();
await look(stranger, 'stranger');
await stranger.goto(`${BASE}/console/accounts`);
seen.stranger_path = new URL(stranger.url()).pathname;
await browser.close();
// The page for a stranger is one that may not be seen, to the browser.
say({ ...seen, troubles: [...new Set(troubles)].filter((line) => !line.includes('403')) });
