// A simulated Azure, the daemon on it, and a browser that looks at the daemon's page.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

export const top = fileURLToPath(new URL('../../', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(top, 'target');
const program = (name) => join(target, 'debug', name);

/** Where pictures of the page are left to be looked at. */
export const pictures = join(target, 'page');

/** Nothing comes near it. */
const PATIENCE = 60_000;

/** The first line of a stream that fits. */
function line(stream, pattern, what) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const missed = () => reject(new Error(`${what} did not say ${pattern}:\n${seen.join('\n')}`));
    const late = setTimeout(missed, PATIENCE);
    createInterface({ input: stream }).on('close', missed).on('line', (text) => {
      seen.push(text);
      const found = pattern.exec(text);
      if (found) {
        clearTimeout(late);
        resolve(found[1]);
      }
    });
  });
}

/** The demo's estate as text, and what its operator declares. */
export function demo() {
  const folder = mkdtempSync(join(tmpdir(), 'mlfence-page-'));
  const file = join(folder, 'estate.jsonl');
  execFileSync(program('armsim'), ['estate', 'demo', '-o', file]);
  const estate = { text: readFileSync(file, 'utf8'), declared: readFileSync(`${file}.expectations.yaml`, 'utf8') };
  rmSync(folder, { recursive: true });
  return estate;
}

/** Serves an estate and lets the daemon sweep it once; `more` is added to the configuration. */
export async function serve({ text, declared }, { more = '', files = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'mlfence-page-'));
  const children = [];
  const stop = async () => {
    for (const child of children.reverse()) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    writeFileSync(join(folder, 'estate.jsonl'), text);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const armsim = spawn(program('armsim'), ['serve', join(folder, 'estate.jsonl'), '--port', '0']);
    children.push(armsim);
    const settings = {};
    const all = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('armsim did not start')), PATIENCE);
      createInterface({ input: armsim.stdout }).on('line', (told) => {
        const [, key, value] = /^(?:export )?([A-Z_]+)=(.*)$/.exec(told) ?? [];
        if (key) settings[key] = value;
        if (settings.ARM_ENDPOINT && settings.IDENTITY_ENDPOINT && settings.IDENTITY_HEADER) {
          clearTimeout(late);
          resolve();
        }
      });
    });
    await all;
    const config = join(folder, 'mlfence.yaml');
    writeFileSync(
      config,
      `endpoints: { resource_manager: "${settings.ARM_ENDPOINT}", authority: "${settings.ARM_ENDPOINT}" }\n` +
        'credential: { type: managed_identity }\nschedule: { interval: 1h }\nhttp: { listen: "127.0.0.1:0" }\n' +
        `ledger: { path: ledger.db }\n${declared}\n${more}`,
    );
    const daemon = spawn(program('mlfence'), ['serve', '--config', config], {
      env: { ...process.env, ...settings, MLFENCE_LOG: 'info', NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(daemon);
    const said = [line(daemon.stderr, /listens on (http:\/\/\S+)/, 'the daemon'), line(daemon.stderr, /(last sweep)/, 'the daemon')];
    const [address] = await Promise.all(said);
    return { address: address.replace(/\/$/, ''), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Debian's Chromium, or the one that is named. */
export function browser() {
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // A container's root has no sandbox; what is opened is ours alone.
    args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-color-profile=srgb'],
  });
}

/** A tab that notes whatever a page should not do. */
export async function tab(chromium, { width = 1280, height = 900, dark = false, scripts = true } = {}) {
  const page = await chromium.newPage();
  const wrong = [];
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('requestfailed', (request) => wrong.push(`failed: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('/favicon.ico')) wrong.push(`${response.status()}: ${response.url()}`);
  });
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  return { page, wrong };
}
