/** What every process of ours reports about itself. */
import type { Sample } from './table.ts';

/** Build and process metrics, read now. `role` is agent or router. */
export function processSamples(role: string, version: string): Sample[] {
  const cpu = process.cpuUsage();
  return [
    { name: 'matriarch_build_info', labels: { version, role, node: process.version }, value: 1 },
    { name: 'matriarch_process_cpu_seconds_total', value: (cpu.user + cpu.system) / 1e6 },
    { name: 'matriarch_process_resident_memory_bytes', value: process.memoryUsage.rss() },
    { name: 'matriarch_process_uptime_seconds', value: process.uptime() },
  ];
}
