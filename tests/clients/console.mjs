// An operator's day in the console, clicked through in a browser. It finds the console in BASE, operators' tokens in TOKEN and
// READ_TOKEN, the gate in GATE with a key in KEY, and keeps pictures in PICTURES if that is set. It says what it saw, and what a reader could stumble over.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { count, say } from "./said.mjs";

const { BASE, TOKEN, READ_TOKEN, GATE, KEY, CHROMIUM, PICTURES, SCRIPTS = 'on' } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const troubles = [];
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});

async function open(look = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }, javaScriptEnabled: SCRIPTS === 'on', ...look,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('console', (line) => line.type() === 'error' && troubles.push(`${page.url()}: ${line.text()}`));
  page.on('pageerror', (error) => troubles.push(`${page.url()}: ${error}`));
  // A page that is left stops following.
  const isLeft = (request) => request.url().includes('/console/live/') && request.failure()?.errorText === 'net::ERR_ABORTED';
  page.on('requestfailed', (request) => isLeft(request) || troubles.push(`${request.url()}: ${request.failure()?.errorText}`));
  return page;
}

async function signIn(page, token) {
  await page.goto(`${BASE}/console/accounts`);
  await page.getByLabel('Operator token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => !url.pathname.endsWith('/sign-in'));
}

// What a page does wrong: for those who can't see it, and on narrow screens.
async function look(page, name) {
  const where = `${name} (${page.viewportSize().width})`;
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  if (wide > 0) troubles.push(`${where}: ${wide} pixels too wide`);
  // The checker is a script.
  if (SCRIPTS !== 'on') return;
  await page.evaluate(axe);
  const { violations } = await page.evaluate('axe.run(document, {resultTypes: ["violations"]})');
  for (const { id, nodes } of violations) {
    for (const node of nodes.slice(0, 3)) troubles.push(`${where}: ${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`);
  }
}

async function picture(page, name) {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}

const seen = {};
const page = await open();
await page.goto(`${BASE}/console`);
await look(page, 'sign-in');
await picture(page, 'sign-in');
await signIn(page, TOKEN);
seen.after_sign_in = new URL(page.url()).pathname;

await page.getByLabel('Name or identifier').fill('ACME');
await page.getByRole('button', { name: 'Find' }).click();
seen.found = await count(page.getByRole('row')) - 1;
await page.getByRole('link', { name: 'acme', exact: true }).click();
seen.before = await page.locator('.big strong').innerText();

await page.getByRole('link', { name: 'Give credits' }).first().click();
await look(page, 'grant');
await picture(page, 'grant');
await page.getByLabel('Credits').fill('many');
await page.getByRole('button', { name: 'Continue' }).click();
await page.getByRole('button', { name: 'Give the credits' }).click();
seen.wrong = await page.getByRole('alert').innerText();
await look(page, 'grant-wrong');
await picture(page, 'grant-wrong');
await page.getByLabel('Credits').fill('2500');
await page.getByLabel('Note').fill('invoice 7');
await page.getByRole('button', { name: 'Continue' }).click();
seen.review = await page.locator('.review').innerText();
await look(page, 'grant-review');
await picture(page, 'grant-review');
await page.getByRole('button', { name: 'Give the credits' }).click();
seen.done = await page.getByRole('status').innerText();
seen.after = await page.locator('.big strong').innerText();

await page.getByRole('link', { name: 'Make a key' }).first().click();
await page.getByLabel('Note').fill('from the console');
await page.getByRole('button', { name: 'Make the key' }).click();
seen.key = await page.getByLabel('The key').inputValue();
await look(page, 'key');
await page.getByRole('link', { name: 'Back to the account' }).click();
seen.keys = await count(page.locator('#keys tbody tr'));
seen.key_is_gone = !(await page.content()).includes(seen.key);

// Pages with a form that does something are looked at, too.
for (const action of ['suspend', 'cancel', 'subscribe']) {
  await page.goto(`${BASE}/console/accounts/acme/${action}`);
  await look(page, action);
  await picture(page, action);
}
await page.goto(`${BASE}/console/accounts/acme`);
await page.getByRole('link', { name: 'Suspend' }).click();
await page.getByRole('button', { name: 'Suspend it' }).click();
seen.suspended = await page.locator('.head .state').innerText();
await picture(page, 'suspended');
await page.getByRole('link', { name: 'Resume' }).click();
await page.getByRole('button', { name: 'Resume it' }).click();
seen.resumed = await page.locator('.head .state').innerText();

// By the keyboard alone: the first stop leads past the navigation.
await page.goto(`${BASE}/console`);
await page.keyboard.press('Tab');
seen.first_stop = await page.evaluate('document.activeElement.textContent');

// What is on the screen changes while calls are made; without scripts it stays.
const spent = page.locator('.tiles strong').first();
await page.evaluate('document.activeElement.blur()');
const spentBefore = await spent.innerText();
for (let call = 0; call < 4; call += 1) await fetch(`http://${GATE}/search`, { headers: { 'x-api-key': KEY } });
seen.followed = await page.waitForFunction(
  (before) => document.querySelector('.tiles strong').textContent !== before, spentBefore, { timeout: SCRIPTS === 'on' ? 15_000 : 4_000 },
).then(() => true, () => false);

const pages = [
  '', '/accounts', '/accounts/acme', '/accounts/hostile', '/accounts/fresh', '/plans', '/plans/pro', '/prices', '/gateways',
  '/shadow', '/webhooks', '/trail', '/operators', '/settings', '/nowhere',
];
const state = await page.context().storageState();
for (const colorScheme of ['light', 'dark']) {
  for (const width of [1440, 390]) {
    const visitor = await open({ viewport: { width, height: 900 }, colorScheme, storageState: state });
    for (const path of pages) {
      const answer = await visitor.goto(`${BASE}/console${path}`, { waitUntil: 'load' });
      const name = path.slice(1).replaceAll('/', '-') || 'overview';
      const expected = path === '/nowhere' ? 404 : 200;
      if (answer.status() !== expected) troubles.push(`${path}: ${answer.status()}`);
      await look(visitor, name);
      await picture(visitor, `${name}-${width}-${colorScheme}`);
    }
    await visitor.context().close();
  }
}

const reader = await open();
await signIn(reader, READ_TOKEN);
await reader.goto(`${BASE}/console/accounts/acme`);
seen.reader_buttons = await count(reader.locator('main .button, main .row-actions a'));
await look(reader, 'reader');
await picture(reader, 'reader');

await page.getByRole('button', { name: 'Sign out' }).click();
await page.waitForURL('**/sign-in*');
await page.goto(`${BASE}/console/accounts/acme`);
seen.after_sign_out = new URL(page.url()).pathname;
await browser.close();
// A page that isn't there is an error to the browser.
const expected = (line) => line.includes('/nowhere') && line.includes('404') || line.includes('400 (Bad Request)');
say({ ...seen, troubles: [...new Set(troubles)].filter((line) => !expected(line)) });
