/** The door of `metrics`: one table of metrics, Prometheus text from samples, and the HTTP server it is served by. */
export { Histogram, type HistogramCounts } from './histogram.ts';
export { type HttpListener, listenHttp } from './http.ts';
export { processSamples } from './process.ts';
export { METRICS_CONTENT_TYPE, renderMetrics } from './render.ts';
export { METRICS, type MetricName, type MetricRow, type Sample } from './table.ts';
