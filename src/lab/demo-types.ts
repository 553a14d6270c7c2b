/** What the demo is given and what it finds. */
import type { LabOptions } from './lab-up.ts';

export interface DemoOptions extends LabOptions {
  readonly baseOctet: number;
  readonly signal: AbortSignal;
  readonly print: (text: string) => void;
}

/** What the demo measured; `matriarch lab demo --json` prints it, and a test asserts on it. */
export interface DemoResult {
  readonly upSeconds: number;
  /** Share of reads in percent, by application host, by node. */
  readonly readShares: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly readsPerHost: number;
  readonly writesElsewhere: number;
  readonly outageSeconds: number;
  readonly clientErrors: Readonly<Record<string, number>>;
  readonly droppedConnections: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly rejoinSeconds: number;
  readonly newPrimary: string;
}
