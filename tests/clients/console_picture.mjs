// Takes a picture of the console at BASE, as the operator of TOKEN sees it, and keeps it in PICTURE.
import { chromium } from 'playwright-core';
import { say } from './said.mjs';

const { BASE, TOKEN, CHROMIUM, PICTURE } = process.env;

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
const context = await browser.newContext({ viewport: { width: 1200, height: 720 }, colorScheme: 'light' });
const page = await context.newPage();
page.setDefaultTimeout(15_000);
await page.goto(`${BASE}/console?by=hour`);
await page.getByLabel('Operator token').fill(TOKEN);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('heading', { name: 'The last 24 hours', exact: true }).waitFor();
await page.screenshot({ path: PICTURE });
const refused = await page.locator('#refused').innerText();
await browser.close();
say({ refused });
