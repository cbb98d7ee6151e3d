// What a shipped dashboard may be: Grafana's own types, as they stand in JSON.
import type { Dashboard, DataQuery, FieldConfig, GraphFieldConfig, Panel, RowPanel, TableFieldOptions, VariableModel } from "@grafana/schema";
import type { Options as BarGauge } from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as Table } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { Options as TimeSeries } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** An enumeration's members as the texts that JSON holds, and every field optional, since Grafana fills in its defaults. */
type Written<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Written<Item>[]
    : T extends object
      ? { [Key in keyof T]?: Written<T[Key]> }
      : T;

/** Whichever Prometheus is chosen above the dashboard. */
type Source = { type: "prometheus"; uid: "${datasource}" };

/** A query of Prometheus; the data source's own package is not published for others. */
interface Target extends DataQuery {
  datasource: Source;
  editorMode: "code";
  expr: string;
  format: "time_series" | "table";
  instant: boolean;
  legendFormat?: string;
  range: boolean;
}

interface Override {
  matcher: { id: "byName"; options: string };
  properties: { id: string; value: unknown }[];
}

type Shown<Type extends string, Options, Custom> = Written<
  Omit<Panel, "type" | "targets" | "options" | "fieldConfig" | "transformations" | "datasource">
> & {
  id: number;
  datasource: Source;
  type: Type;
  title: string;
  description: string;
  targets: Target[];
  options: Written<Options>;
  fieldConfig: { defaults: Written<Omit<FieldConfig, "custom">> & { custom?: Written<Custom> }; overrides: Override[] };
  transformations?: { id: "merge" | "organize"; options: object }[];
};

export type ShippedPanel =
  | Shown<"stat", Stat, never>
  | Shown<"table", Table, TableFieldOptions>
  | Shown<"bargauge", BarGauge, never>
  | Shown<"timeseries", TimeSeries, GraphFieldConfig>
  | (Written<Omit<RowPanel, "type" | "panels">> & { id: number; type: "row"; panels: [] });

export type Shipped = Written<Omit<Dashboard, "panels" | "templating">> & {
  uid: string;
  title: string;
  description: string;
  panels: ShippedPanel[];
  templating: { list: (Written<Omit<VariableModel, "datasource">> & { datasource?: Source })[] };
};
