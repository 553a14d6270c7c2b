/** The processes of a take-over: the same command started again, and the channel between the two (Node's IPC). */
import { type ChildProcess, spawn } from 'node:child_process';
import { Server } from 'node:net';
import type { Channel } from '../router/index.ts';

/** In the environment of a process that is to take over from the one that started it. */
const MARK = 'MATRIARCH_TAKE_OVER';

/** Starts the command that `self` was started with: from the same path, where another version may be by now. */
export function startSuccessor(self: NodeJS.Process): Channel {
  const child = spawn(self.execPath, [...self.execArgv, ...self.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...self.env, [MARK]: '1' },
  });
  // Neither side lives for the other's sake.
  child.unref();
  child.channel?.unref();
  return {
    pid: child.pid ?? 0,
    send: async (message, socket) =>
      await new Promise((resolve) => {
        if (!child.connected) resolve();
        else child.send(message, socket, {}, () => resolve());
      }),
    onMessage: (listener) =>
      child.on('message', (message, socket) =>
        listener(message, socket instanceof Server ? socket : undefined),
      ),
    onClose: (listener) => onEnd(child, listener),
    kill: () => void child.kill('SIGKILL'),
  };
}

function onEnd(child: ChildProcess, listener: (how: string) => void): void {
  let isOver = false;
  const end = (how: string): void => {
    if (isOver) return;
    isOver = true;
    listener(how);
  };
  child.on('error', (cause) => end(`it could not be started: ${cause.message}`));
  child.on('exit', (status, signal) => end(`it ended with ${signal ?? `status ${status ?? 0}`}`));
}

/** The process that is to be taken over from; undefined in one that was started in another way. */
export function predecessorOf(self: NodeJS.Process): Channel | undefined {
  if (self.env[MARK] === undefined || self.send === undefined) return undefined;
  return {
    pid: self.ppid,
    send: async (message) =>
      await new Promise((resolve) => {
        if (self.send === undefined || !self.connected) resolve();
        else self.send(message, undefined, {}, () => resolve());
      }),
    onMessage: (listener) =>
      void self.on('message', (message, socket) =>
        listener(message, socket instanceof Server ? socket : undefined),
      ),
    onClose: (listener) => void self.on('disconnect', () => listener('')),
    kill: () => undefined,
  };
}
