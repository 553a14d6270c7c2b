/**
 * Samples as Prometheus text. The registry lives for one scrape: what is counted on hot paths stays plain
 * numbers in its component, and is turned into metrics only when someone asks.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import { METRICS, type MetricName, type MetricRow, type Sample } from './table.ts';

/** Content type of what `renderMetrics` returns. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Prometheus text of `samples`; metrics without a sample are left out. Throws on labels that are not the row's. */
export async function renderMetrics(samples: Iterable<Sample>): Promise<string> {
  const registry = new Registry();
  const record = new Map<MetricName, (sample: Sample) => void>();
  for (const sample of samples) {
    let add = record.get(sample.name);
    if (add === undefined) {
      add = recorderOf(sample.name, registry);
      record.set(sample.name, add);
    }
    add(sample);
  }
  return await registry.metrics();
}

function recorderOf(name: MetricName, registry: Registry): (sample: Sample) => void {
  const row: MetricRow = METRICS[name];
  const options = { name, help: row.help, labelNames: [...row.labels], registers: [registry] };
  if (row.type === 'counter') {
    const counter = new Counter(options);
    return ({ labels, value }) => {
      counter.inc({ ...labels }, value);
    };
  }
  const gauge = new Gauge(options);
  return ({ labels, value }) => {
    gauge.set({ ...labels }, value);
  };
}
