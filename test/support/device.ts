/**
 * A FIFO in the place of a watchdog device, as seen from its other end: what is written to it and when, and whether somebody has
 * it open. What no FIFO can show is what a device does when nobody feeds it.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/base/index.ts';

export class Device {
  readonly path: string;
  /** What was written, as it was read. */
  readonly readings: { readonly at: number; readonly text: string }[] = [];
  isOpen = false;
  openings = 0;
  #end: number | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(path: string) {
    this.path = path;
    this.listen();
    this.#timer = setInterval(() => this.#read(), 5);
  }

  /** Everything that was written. */
  get text(): string {
    return this.readings.map(({ text }) => text).join('');
  }

  /** The other end is there: opening succeeds. */
  listen(): void {
    this.#end ??= openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** The other end is gone: writing fails. */
  deafen(): void {
    if (this.#end !== undefined) closeSync(this.#end);
    this.#end = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.deafen();
  }

  #read(): void {
    if (this.#end === undefined) return;
    const buffer = Buffer.alloc(4096);
    try {
      const bytes = readSync(this.#end, buffer);
      if (bytes === 0) {
        this.isOpen = false;
        return;
      }
      this.readings.push({ at: systemClock.now(), text: buffer.toString('latin1', 0, bytes) });
    } catch (cause) {
      // Somebody has it open, and has nothing to say.
      if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'EAGAIN') throw cause;
    }
    if (!this.isOpen) this.openings += 1;
    this.isOpen = true;
  }
}

/** `watchdog` in `folder`. */
export async function aDevice(t: TestContext, folder: string): Promise<Device> {
  const path = join(folder, 'watchdog');
  await promisify(execFile)('mkfifo', [path]);
  const device = new Device(path);
  t.after(() => device.stop());
  return device;
}
