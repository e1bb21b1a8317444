// A customer's day in the portal, clicked through in a browser. It finds the portal in BASE, links to it in LINK, HOSTILE_LINK and
// FRESH_LINK, an API key in API_KEY, and keeps pictures in PICTURES if that is set. It says what it saw, and what a customer could
// stumble over.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { count, say } from "./said.mjs";

const { BASE, LINK, HOSTILE_LINK, FRESH_LINK, API_KEY, CHROMIUM, PICTURES, SCRIPTS = 'on' } = process.env;
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
  // A file that is saved is a page that isn't opened.
  page.on('requestfailed', (request) => request.url().includes('.csv') || troubles.push(`${request.url()}: ${request.failure()?.errorText}`));
  return page;
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

async function enter(page, link) {
  await page.goto(`${BASE}${link}`);
  await look(page, 'enter');
  await picture(page, 'enter');
  await page.getByRole('button', { name: 'Open the account' }).click();
  await page.waitForURL((url) => url.pathname === '/portal');
}

const seen = {};
const page = await open();
await page.goto(`${BASE}/portal`);
await look(page, 'sign-in');
await picture(page, 'sign-in');
await enter(page, LINK);
seen.after_link = new URL(page.url()).pathname;
seen.title = await page.title();
seen.top_up = await page.getByRole('link', { name: 'Top up' }).first().getAttribute('href');
seen.plan = await page.locator('main').innerText();

await page.getByRole('link', { name: 'Usage', exact: true }).click();
await page.getByLabel('Split').selectOption({ label: 'by key' });
await page.getByRole('button', { name: 'Show' }).click();
seen.usage_rows = await count(page.locator('[aria-label=Usage] tbody tr'));
const file = page.waitForEvent('download');
await page.getByRole('link', { name: 'CSV' }).click();
seen.csv = readFileSync(await (await file).path(), 'utf8');

await page.getByRole('link', { name: 'Calls', exact: true }).click();
seen.calls = await count(page.locator('[aria-label=Calls] tbody tr'));
await page.getByLabel('Outcome').selectOption('refused');
await page.getByRole('button', { name: 'Find' }).click();
seen.refused_calls = await count(page.locator('[aria-label=Calls] tbody tr'));
await page.getByText('more', { exact: true }).first().click();
seen.call = await page.locator('[aria-label=Calls] tbody tr').first().innerText();
await look(page, 'calls-refused');
await picture(page, 'calls-refused');
const calls = page.waitForEvent('download');
await page.getByRole('link', { name: 'CSV' }).click();
seen.calls_csv = readFileSync(await (await calls).path(), 'utf8');

await page.getByRole('link', { name: 'Receipts' }).click();
seen.receipts = await count(page.locator('[aria-label=Receipts] tbody tr'));
await page.getByRole('link', { name: /^Open/ }).first().click();
seen.receipt = await page.locator('.receipt').innerText();
await look(page, 'receipt');
await picture(page, 'receipt');
await page.emulateMedia({ media: 'print' });
await picture(page, 'receipt-print');
await page.emulateMedia({ media: 'screen' });

await page.getByRole('link', { name: 'Refusals' }).click();
seen.refused = await page.locator('#refused').innerText();

await page.getByRole('link', { name: 'Alerts' }).click();
await page.getByLabel('Announce a balance below, in credits').fill('much');
await page.getByRole('button', { name: 'Set the alert' }).click();
seen.wrong = await page.getByRole('alert').innerText();
await look(page, 'alert-wrong');
await picture(page, 'alert-wrong');
await page.getByLabel('Announce a balance below, in credits').fill('100');
await page.getByRole('button', { name: 'Set the alert' }).click();
seen.alert = await page.locator('main').innerText();

await page.getByRole('link', { name: 'Keys', exact: true }).click();
await page.getByRole('link', { name: 'Make a key' }).click();
await look(page, 'new-key');
await picture(page, 'new-key');
await page.getByLabel('Note').fill('from the portal');
await page.getByLabel('Team').selectOption('research');
await page.getByRole('button', { name: 'Make the key' }).click();
const first = await page.getByLabel('The key').inputValue();
await look(page, 'key');
await picture(page, 'key');
await page.getByRole('link', { name: 'Back to the keys' }).click();
seen.key_is_gone = !(await page.content()).includes(first);
await page.getByRole('row', { name: /from the portal/ }).getByRole('link', { name: 'Rotate' }).click();
await look(page, 'rotate');
await picture(page, 'rotate');
await page.getByLabel('The old key works for').selectOption({ label: 'no longer: it ends at once' });
await page.getByRole('button', { name: 'Rotate the key' }).click();
seen.key = await page.getByLabel('The key').inputValue();
await page.getByRole('link', { name: 'Back to the keys' }).click();
await page.getByRole('row', { name: /notebooks/ }).getByRole('link', { name: 'Revoke' }).click();
await look(page, 'revoke');
await page.getByRole('button', { name: 'Revoke it for good' }).click();
seen.revoked = await page.getByRole('status').innerText();

// By the keyboard alone: the first stop leads past the navigation.
await page.goto(`${BASE}/portal`);
await page.keyboard.press('Tab');
seen.first_stop = await page.evaluate('document.activeElement.textContent');

const customers = { acme: await page.context().storageState() };
for (const [name, link] of [['hostile', HOSTILE_LINK], ['fresh', FRESH_LINK]]) {
  const other = await open();
  await enter(other, link);
  customers[name] = await other.context().storageState();
  await other.context().close();
}
const pages = ['', '/usage', '/usage?by=hour&split=key', '/calls', '/calls?code=no_such', '/keys', '/keys/new', '/plan', '/alerts', '/receipts', '/refusals', '/nowhere'];
for (const [customer, storageState] of Object.entries(customers)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1440, 390]) {
      const visitor = await open({ viewport: { width, height: 900 }, colorScheme, storageState });
      for (const path of pages) {
        const answer = await visitor.goto(`${BASE}/portal${path}`, { waitUntil: 'load' });
        const name = `${customer}-${path.slice(1).replaceAll(/\W+/g, '-') || 'home'}`;
        const expected = path === '/nowhere' ? 404 : 200;
        if (answer.status() !== expected) troubles.push(`${path}: ${answer.status()}`);
        await look(visitor, name);
        await picture(visitor, `${name}-${width}-${colorScheme}`);
      }
      await visitor.context().close();
    }
  }
}

const reader = await open();
await reader.goto(`${BASE}/portal/keys`);
await reader.getByLabel('API key').fill(API_KEY);
await reader.getByRole('button', { name: 'Look at the account' }).click();
await reader.waitForURL((url) => url.pathname === '/portal/keys');
seen.reader_buttons = await count(reader.locator('main .button, main button, main .row-actions a'));
await look(reader, 'reader');
await picture(reader, 'reader');

await page.getByRole('button', { name: 'Sign out' }).click();
await page.waitForURL('**/sign-in*');
await page.goto(`${BASE}/portal/keys`);
seen.after_sign_out = new URL(page.url()).pathname;
await browser.close();
// A page that isn't there is an error to the browser, and so is one that is shown again.
const expected = (line) => line.includes('/nowhere') && line.includes('404') || line.includes('400 (Bad Request)');
say({ ...seen, troubles: [...new Set(troubles)].filter((line) => !expected(line)) });
