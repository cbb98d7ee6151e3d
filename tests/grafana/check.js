// Grafana's own types read the dashboards that are named as arguments: TypeScript checks each text, which is JSON, as the
// value of a constant of the type `Shipped`.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";

const folder = import.meta.dirname;
const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("no dashboard was named");
  process.exit(2);
}
const options = { strict: true, noEmit: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022, skipLibCheck: true, types: [] };
const host = ts.createCompilerHost(options);
const read = host.getSourceFile;
const constants = new Map(files.map((file) => [
  join(folder, `${basename(file)}.ts`),
  `import type { Shipped } from "./shipped";\nexport const dashboard: Shipped =\n${readFileSync(file, "utf8")};\n`,
]));
host.getSourceFile = (name, ...more) =>
  constants.has(name) ? ts.createSourceFile(name, constants.get(name), options.target) : read(name, ...more);
const program = ts.createProgram([...constants.keys()], options, host);
const found = ts.getPreEmitDiagnostics(program);
for (const { file, start, messageText } of found) {
  // The two lines before the text are ours.
  const line = file ? ts.getLineAndCharacterOfPosition(file, start).line - 1 : 0;
  console.log(`${file ? basename(file.fileName, ".ts") : "?"}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
}
if (found.length === 0) files.forEach((file) => console.log(`accepted: ${file}`));
process.exit(found.length === 0 ? 0 : 1);
