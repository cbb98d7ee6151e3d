// Reads queries, one a line, from a file or from standard input, and has Microsoft's Kusto parser parse and analyse each
// against the tables in tables.js. Prints a line a query; ends with 1 if the parser has anything to say, or if there is no query.
import { readFileSync } from "node:fs";
// Compiled from C#; both put their names into the global scope.
import "@kusto/language-service-next/bridge.js";
import "@kusto/language-service-next/Kusto.Language.Bridge.js";
import { tables } from "./tables.js";

const { GlobalState, KustoCode, Symbols } = Kusto.Language;

// The symbols are built from parts: the parser of schema texts stops at a column that is called `kind`.
function table([name, columns]) {
  const symbol = ([column, type]) => new Symbols.ColumnSymbol(column, Symbols.ScalarTypes.GetSymbol(type));
  return new Symbols.TableSymbol.$ctor4(name, Object.entries(columns).map(symbol));
}

const symbols = Object.entries(tables).map(table);
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("graph", symbols));

function complaints(query) {
  const told = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return Array.from({ length: told.Count }, (_, at) => told.getItem(at)).map(
    (diagnostic) => `${diagnostic.Code} at ${diagnostic.Start}: ${diagnostic.Message}`,
  );
}

const queries = readFileSync(process.argv[2] ?? 0, "utf8").split("\n").filter((line) => line.trim() !== "");
let wrong = queries.length === 0;
if (wrong) console.error("there is no query to check");
for (const query of queries) {
  const told = complaints(query);
  console.log(`${told.length === 0 ? "accepted" : "REFUSED"}: ${query}`);
  told.forEach((complaint) => console.log(`  ${complaint}`));
  wrong ||= told.length > 0;
}
process.exitCode = wrong ? 1 : 0;
