// The check itself can fail.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const shipped = readFileSync(join(import.meta.dirname, "../../deploy/grafana/mlfence.json"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "dashboards-"));
test.after(() => rmSync(folder, { recursive: true }));

/** What the check says of the shipped dashboard with one text in it replaced. */
function changed(name, before, after) {
  assert.ok(shipped.includes(before), `${before} is not in the dashboard`);
  const file = join(folder, `${name}.json`);
  writeFileSync(file, shipped.replace(before, after));
  return file;
}

const cases = [
  ["kind", '"type": "stat"', '"type": "stats"', /"stats"/],
  ["option", '"graphMode": "none"', '"graphMode": "nothing"', /"nothing"/],
  ["misspelt", '"graphMode"', '"grafMode"', /"grafMode"/],
  ["custom", '"lineInterpolation": "stepAfter"', '"lineInterpolation": "steps"', /"steps"/],
  ["alignment", '"align": "auto"', '"align": "middle"', /"middle"/],
  ["unit", '"unit": "short"', '"unit": 5', /number/],
  ["place", '"w": 24', '"w": "wide"', /string/],
  ["refresh", '"refresh": 2', '"refresh": 7', /7/],
  ["fixed-source", '"uid": "${datasource}"', '"uid": "prometheus-1"', /"prometheus-1"/],
];

test("each of these mistakes is found, in its own file", () => {
  const files = cases.map(([name, before, after]) => changed(name, before, after));
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, "check.js"), ...files], { encoding: "utf8" });
  assert.equal(status, 1);
  for (const [name, , , complaint] of cases) {
    const said = stdout.split(/\n(?=\S)/).filter((line) => line.startsWith(`${name}.json:`)).join("\n");
    assert.match(said, complaint, `${name}: ${said || stdout}`);
  }
});

test("no dashboard at all is refused", () => {
  assert.equal(spawnSync(process.execPath, [join(import.meta.dirname, "check.js")]).status, 2);
});
