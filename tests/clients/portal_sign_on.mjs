// Customers sign in to the portal in BASE at a provider, in a browser: one whose subject belongs to an account, one who may only look, one
// whose subject belongs to none.
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

async function open(look = {}) {
  const context = await browser.newContext({ viewport: { width: 390, height: 900 }, javaScriptEnabled: SCRIPTS === 'on', ...look });
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

// From a page of the portal to the provider and back.
async function signIn(page, login) {
  await page.goto(`${BASE}/portal/keys`);
  await page.getByRole('link', { name: 'Sign in', exact: true }).click();
  await page.getByRole('link', { name: login }).click();
  await page.waitForURL(`${BASE}/portal/**`);
}

const seen = {};
for (const colorScheme of ['light', 'dark']) {
  for (const width of [1440, 390]) {
    const visitor = await open({ viewport: { width, height: 900 }, colorScheme });
    await visitor.goto(`${BASE}/portal`);
    await look(visitor, `sign-in-${width}-${colorScheme}`);
    await signIn(visitor, 'stranger-sam');
    await look(visitor, `stranger-${width}-${colorScheme}`);
    seen.stranger = await visitor.locator('h1').innerText();
    seen.facts = await visitor.locator('.facts').innerText();
    await visitor.goto(`${BASE}/portal/keys`);
    seen.stranger_path = new URL(visitor.url()).pathname;
    await visitor.context().close();
  }
}

const page = await open();
await signIn(page, 'linked-lou');
seen.after_sign_in = new URL(page.url()).pathname;
seen.whose = await page.locator('.whose').innerText();
await page.getByRole('link', { name: 'Make a key' }).click();
await page.getByRole('button', { name: 'Make the key' }).click();
seen.made = await count(page.getByLabel('The key'));

const reader = await open();
await signIn(reader, 'admin-anna');
seen.reader = await reader.locator('.whose').innerText();
seen.reader_buttons = await count(reader.locator('main .button, main button, main .row-actions a'));
await look(reader, 'reader');

// Signing out ends the session at the provider, too, and leads back.
await page.getByRole('button', { name: 'Sign out' }).click();
await page.waitForURL((url) => !url.href.startsWith(BASE));
await page.getByRole('button', { name: 'Yes, sign me out' }).click();
await page.waitForURL(`${BASE}/portal/sign-in**`);
await page.goto(`${BASE}/portal/keys`);
seen.after_sign_out = new URL(page.url()).pathname;
await page.getByRole('link', { name: 'Sign in', exact: true }).click();
seen.asks_again = await count(page.getByRole('link', { name: 'linked-lou' }));
await browser.close();
// The page for a stranger is one that may not be seen, to the browser.
say({ ...seen, troubles: [...new Set(troubles)].filter((line) => !line.includes('403')) });
