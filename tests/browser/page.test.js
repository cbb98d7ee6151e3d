// A real browser on the page: it looks right in light and dark, on a desk and on a phone, for screen readers and without
// scripts, and no name from Azure does anything to it. Pictures of all of it are left in `target/page`.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { browser, demo, pictures, serve, tab, top } from './serving.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DESK = 1280;
const PHONE = 390;

let chromium;
let site;

// One violation and one unknown are accepted, so that every kind of verdict is on the pages.
const waived = /"id":"([^"]*\/workspaces\/mlw-churn-prod)"/i;
const waivers = (estate) => {
  const scope = waived.exec(estate.text)?.[1];
  assert.ok(scope, 'the demo has a workspace mlw-churn-prod');
  const waiver = (policy) =>
    `- { policy: ${policy}, scope: '${scope}', reason: moves to AKS <b>soon</b>, owner: ml@contoso.example, expires: ${inAMonth()} }\n`;
  return `waivers:\n${waiver('ACI-010')}${waiver('AKS-001')}`;
};
const inAMonth = () => new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString().slice(0, 10);

before(async () => {
  mkdirSync(pictures, { recursive: true });
  const estate = demo();
  chromium = await browser();
  site = await serve(estate, { more: 'waivers: { files: [waivers.yaml] }\n', files: { 'waivers.yaml': waivers(estate) } });
});

after(async () => {
  await chromium?.close();
  await site?.stop();
});

/** Opens an address and gives the tab's page. */
async function open(address, options = {}) {
  const { page, wrong } = await tab(chromium, options);
  const answer = await page.goto(address);
  assert.equal(answer.status(), options.status ?? 200, address);
  return { page, wrong };
}

/** The address behind the first link that fits. */
const link = (page, selector) => page.$eval(selector, (element) => element.href);

/** Each kind of page, found by links as a reader finds it. */
async function kinds() {
  const { page } = await open(`${site.address}/`);
  const workspace = (name) =>
    page.$$eval('table.posture th a', (all, name) => all.find((one) => one.textContent.trim() === name)?.href, name);
  const found = {
    overview: `${site.address}/`,
    everything: `${site.address}/?status=all`,
    nothing: `${site.address}/?q=no+such+thing`,
    unheard: `${site.address}/?policy=AKS-999&subscription=no-such`,
    gaps: `${site.address}/gaps`,
    waivers: `${site.address}/waivers`,
    pricing: await workspace('mlw-pricing-dev'),
    vision: await workspace('mlw-vision-dev'),
    telematics: await workspace('mlw-telematics-prod'),
    churn: await workspace('mlw-churn-prod'),
    sandbox: await workspace('mlw-sandbox-dev'),
    finding: await page.$$eval('.list .head a', (all) => all.find((one) => one.textContent === 'CNI-003')?.href),
  };
  await page.goto(`${site.address}/?status=waived`);
  found.accepted = await link(page, '.list .head a');
  await page.close();
  for (const [kind, address] of Object.entries(found)) assert.ok(address, `there is a page of ${kind}`);
  return found;
}

/** No part of the page is wider than the page, and the picture's texts stay in their places. */
async function fits(page, what) {
  const [width, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(width <= shown, `${what} is ${width} wide on ${shown}`);
  const out = await page.evaluate(() => {
    const svg = document.querySelector('svg.network');
    if (!svg) return [];
    const all = [...svg.querySelectorAll('text')].filter((text) => !text.classList.contains('axis'));
    const box = (element) => element.getBBox();
    const boxes = [...svg.querySelectorAll('rect.box')].map(box);
    const inside = (text, rect) => text.y + text.height / 2 > rect.y && text.y + text.height / 2 < rect.y + rect.height && text.x >= rect.x && text.x < rect.x + rect.width;
    const over = (a, b) => a.x < b.x + b.width - 1 && b.x < a.x + a.width - 1 && a.y < b.y + b.height - 4 && b.y < a.y + a.height - 4;
    const found = [];
    const view = svg.viewBox.baseVal;
    for (const text of all) {
      const place = box(text);
      if (place.x + place.width > view.width || place.y + place.height > view.height) found.push(`outside: ${text.textContent}`);
      const own = boxes.find((rect) => inside(place, rect));
      if (own && place.x + place.width > own.x + own.width) found.push(`out of its box: ${text.textContent}`);
      if (!own && boxes.some((rect) => over(place, rect))) found.push(`over a box: ${text.textContent}`);
    }
    all.forEach((one, at) => {
      for (const other of all.slice(at + 1)) if (over(box(one), box(other))) found.push(`over each other: ${one.textContent} | ${other.textContent}`);
    });
    return found.map((told) => told.slice(0, 200));
  });
  assert.deepEqual(out, [], what);
}

test('every kind of page fits desk and phone in light and dark, is accessible and breaks no rule of its own', async () => {
  for (const [kind, address] of Object.entries(await kinds())) {
    for (const width of [DESK, PHONE]) {
      for (const dark of [false, true]) {
        const what = `${kind}-${width}-${dark ? 'dark' : 'light'}`;
        const { page, wrong } = await open(address, { width, dark });
        await page.screenshot({ path: join(pictures, `${what}.png`), fullPage: true });
        await fits(page, what);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const told = violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' ')}`);
        assert.deepEqual(told, [], what);
        assert.deepEqual(wrong, [], what);
        await page.close();
      }
    }
  }
});

test('a reader without scripts gets from the filter to the evidence and to the picture', async () => {
  const { page, wrong } = await open(`${site.address}/`, { scripts: false });
  const go = async (act) => void (await Promise.all([page.waitForNavigation(), act()]));
  await page.select('#status', 'fail');
  await page.select('#policy', 'NSG-001');
  await page.type('#q', 'pricing');
  await go(() => page.click('form.filter button'));
  const listed = await page.$$eval('#findings ~ ul.list > li', (all) => all.map((one) => one.textContent));
  // Both clusters of the workspace shut the partners out.
  assert.equal(listed.length, 2);
  assert.match(listed[0], /NSG-001.*declared callers to scoring are stopped/s);
  assert.equal(await page.$eval('#q', (input) => input.value), 'pricing');
  await go(() => page.click('.list .head a'));
  assert.match(await page.$eval('h1', (title) => title.textContent), /^NSG-001: /);
  const evidence = await page.$eval('section[aria-labelledby=evidence]', (section) => section.textContent);
  assert.match(evidence, /203\.0\.113\.0\/24/);
  assert.match(evidence, /deny-internet/);
  assert.ok(await page.$('section[aria-labelledby=fix] pre'));
  await go(() => page.click('.crumbs a[href^="/workspaces/"]'));
  assert.equal(await page.$eval('h1', (title) => title.textContent), 'Workspace mlw-pricing-dev');
  assert.equal((await page.$$('svg.network g.arrow.fail')).length, 6);
  assert.deepEqual(wrong, []);
  await page.close();
});

test('the keyboard reaches the content first and shows where it is', async () => {
  const { page } = await open(`${site.address}/`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#main');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => document.querySelector('main').contains(document.activeElement)));
  await page.close();
});

test('names from Azure stay names', async () => {
  const estate = demo();
  const long = 'n'.repeat(1_900);
  const name = (what) => `${what}-<img src=x onerror=alert(1)>"'&lt;\u202e\u2066\n\u05d0\u05d1 ${long}`;
  const quoted = (text) => JSON.stringify(text).slice(1, -1);
  // In ids, so without a slash; what is shown as a subscription's name has one. The workspace itself keeps its name where
  // Azure is asked for its computes by it.
  const renamed = ['vnet-mlw-warranty-dev', 'aks-mlw-warranty-dev', 'pe-mlw-warranty-dev', 'crmlwwarrantydev', 'mlw-pricing-dev'];
  const hostile = (text) =>
    renamed
      .reduce((so_far, one) => so_far.replaceAll(one, quoted(name(one))), text)
      .replaceAll('snet-aks', quoted(`snet-<script>alert(2)\u200f-${'s'.repeat(200)}`))
      .replaceAll('"ml-dev"', JSON.stringify('</title><script>alert(3)</script>'));
  // YAML takes no key of that length; without a declaration of its own the workspace has the default.
  const declared = estate.declared.split('\n').filter((one) => !one.includes('mlw-pricing-dev')).join('\n');
  const other = await serve({ text: hostile(estate.text), declared: hostile(declared) });
  try {
    const { page, wrong } = await open(`${other.address}/`, { width: PHONE });
    const seen = new Set();
    const addresses = [`${other.address}/`, `${other.address}/?status=all`, `${other.address}/gaps`];
    while (addresses.length > 0) {
      const address = addresses.pop();
      if (seen.has(address)) continue;
      seen.add(address);
      await page.goto(address);
      assert.equal(await page.evaluate(() => document.querySelectorAll('script, img, iframe').length), 0, address);
      await fits(page, address);
      const links = await page.$$eval('main a', (all) => all.map((one) => one.href).filter((one) => one.startsWith(location.origin)));
      addresses.push(...links.filter((one) => /\/(findings|workspaces)\//.test(one)).map((one) => one.split('#')[0]));
    }
    assert.ok(seen.size > 20, `${seen.size} pages were seen`);
    await page.goto(`${other.address}/?q=${encodeURIComponent('"><script>alert(4)</script>')}`);
    assert.equal(await page.$eval('#q', (input) => input.value), '"><script>alert(4)</script>');
    await page.goto(`${other.address}/?q=onerror`);
    const shown = await page.$$eval('table.posture th a', (all) => all.map((one) => one.textContent));
    assert.ok(shown.some((text) => text.startsWith('mlw-pricing-dev-<img src=x onerror=alert(1)>')), shown.join('\n'));
    const told = await page.$eval('body', (body) => body.textContent);
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/.test(told), 'no sign turns the direction of writing');
    await page.screenshot({ path: join(pictures, 'hostile-390.png'), fullPage: true });
    await page.goto(`${other.address}/`);
    const workspace = await page.$$eval('table.posture th a', (all) => all.find((one) => one.textContent === 'mlw-warranty-dev')?.href);
    const { page: wide, wrong: also } = await open(workspace, { width: DESK });
    const drawn = await wide.$eval('svg.network', (svg) => svg.textContent);
    for (const part of ['AKS cluster aks-mlw-warranty-dev-<img', 'VNet vnet-mlw-warranty-dev-<img src=x onerror=alert(1)>', 'snet-<script>alert(2)']) {
      assert.ok(drawn.includes(part), part);
    }
    await fits(wide, workspace);
    await wide.screenshot({ path: join(pictures, 'hostile-1280.png'), fullPage: true });
    assert.deepEqual([...wrong, ...also], []);
    await page.close();
    await wide.close();
  } finally {
    await other.stop();
  }
});

test('the README links a picture that is there and not too heavy', async () => {
  // With MLFENCE_PICTURE naming a file, the picture is made anew; a browser of another version draws other pixels, so what is
  // held is that it is there and not too heavy.
  const file = process.env.MLFENCE_PICTURE ?? join(top, 'docs/images/page.png');
  if (process.env.MLFENCE_PICTURE) {
    const { telematics } = await kinds();
    const { page } = await open(telematics, { width: DESK });
    const picture = await page.$('svg.network');
    await picture.screenshot({ path: file });
    await page.close();
  }
  const bytes = readFileSync(file);
  assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(bytes.length < 200_000, `${bytes.length} bytes`);
  assert.match(readFileSync(join(top, 'README.md'), 'utf8'), /\(docs\/images\/page\.png\)/);
});
