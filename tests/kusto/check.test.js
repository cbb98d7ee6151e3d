// The check itself can fail.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

function check(queries) {
  const { status, stdout } = spawnSync(process.execPath, [`${import.meta.dirname}/check.js`], { input: queries, encoding: "utf8" });
  return { status, stdout };
}

const good = "resources | where type =~ 'a/b' | project id, kind, properties | order by id asc";

test("a query of the documented columns is accepted", () => {
  assert.deepEqual(check(`${good}\n`), { status: 0, stdout: `accepted: ${good}\n` });
});

for (const [what, query, complaint] of [
  ["a misspelt column", "resources | where typ =~ 'a/b' | project id", /KS142 at 18: The name 'typ'/],
  ["a column that is not in the table any more", "resources | project id | where type =~ 'a/b'", /KS142 at 31: The name 'type'/],
  ["a table that there is not", "resource | project id", /KS204 at 0: The name 'resource'/],
  ["an error of syntax", "resources | where | project id", /KS006 at 17: Missing expression/],
]) {
  test(`${what} is refused, beside a good query too`, () => {
    const { status, stdout } = check(`${good}\n${query}\n`);
    assert.equal(status, 1);
    assert.match(stdout, complaint);
  });
}

test("no query at all is refused", () => {
  assert.equal(check("\n").status, 1);
});
