/**
 * Samples as Prometheus text. The registry lives for one scrape: what is counted on hot paths stays plain
 * numbers in its component, and is turned into metrics only when someone asks.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import { assert } from '../base/index.ts';
import type { HistogramCounts } from './histogram.ts';
import { METRICS, type MetricName, type MetricRow, type Sample } from './table.ts';

/** Content type of what `renderMetrics` returns. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Prometheus text of `samples`; metrics without a sample are left out. Throws on labels that are not the row's. */
export async function renderMetrics(samples: Iterable<Sample>): Promise<string> {
  const registry = new Registry();
  const record = new Map<MetricName, (labels: Sample['labels'], value: number) => void>();
  const histograms = new Map<MetricName, string[]>();
  for (const { name, labels, value } of samples) {
    if (typeof value !== 'number') {
      const lines = histograms.get(name) ?? headOf(name);
      histograms.set(name, lines);
      lines.push(...histogramLines(name, labels ?? {}, value));
      continue;
    }
    let add = record.get(name);
    if (add === undefined) {
      add = recorderOf(name, registry);
      record.set(name, add);
    }
    add(labels, value);
  }
  const plain = await registry.metrics();
  return [plain, ...Array.from(histograms.values(), (lines) => `${lines.join('\n')}\n`)]
    .filter((text) => text.trim() !== '')
    .join('\n');
}

function recorderOf(name: MetricName, registry: Registry): (labels: Sample['labels'], value: number) => void {
  const row: MetricRow = METRICS[name];
  assert(row.type !== 'histogram', `${name} has a number where its row says histogram`);
  const options = { name, help: row.help, labelNames: [...row.labels], registers: [registry] };
  if (row.type === 'counter') {
    const counter = new Counter(options);
    return (labels, value) => {
      counter.inc({ ...labels }, value);
    };
  }
  const gauge = new Gauge(options);
  return (labels, value) => {
    gauge.set({ ...labels }, value);
  };
}

// prom-client's histograms can only be observed, not set to what was counted elsewhere: these lines are our own.

function headOf(name: MetricName): string[] {
  const { help, type }: MetricRow = METRICS[name];
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function histogramLines(
  name: MetricName,
  labels: Readonly<Record<string, string>>,
  { buckets, sumSeconds, count }: HistogramCounts,
): string[] {
  const row: MetricRow = METRICS[name];
  assert(row.type === 'histogram', `${name} has a histogram where its row says ${row.type}`);
  const given = Object.keys(labels).sort().join();
  assert(given === [...row.labels].sort().join(), `${name} has the labels ${given}`);
  const written = row.labels.map((label) => `${label}="${escaped(labels[label] ?? '')}"`);
  return [
    ...buckets.map((bucket) => {
      const bound = `le="${bucket.boundSeconds ?? '+Inf'}"`;
      return `${name}_bucket{${[bound, ...written].join(',')}} ${bucket.count}`;
    }),
    `${name}_sum{${written.join(',')}} ${sumSeconds}`,
    `${name}_count{${written.join(',')}} ${count}`,
  ];
}

/** As the exposition format asks for label values. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
