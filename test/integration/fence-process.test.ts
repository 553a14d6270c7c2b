/** The fence as a process of its own, over processes that look like a server and do not want to end. */
import { equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, realpath } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pause, systemClock } from '../../src/base/index.ts';
import { eventually } from '../support/eventually.ts';
import { scratchFolder } from '../support/scratch.ts';

const PROGRAM = fileURLToPath(new URL('../../src/agent/fence-process.js', import.meta.url));
const MARGIN_MS = 1000;

test('an agent that talks to its fence without pause does not put off the blow that ends PostgreSQL', async (t) => {
  const dataDir = await realpath(await scratchFolder(t));
  const server = await aStubbornServer(dataDir);
  t.after(() => server.kill('SIGKILL'));
  const agent = await aFence(t, dataDir);
  let id = 0;
  const arm = (deadline: number): void => {
    id += 1;
    agent.write(`${JSON.stringify({ id, type: 'arm', deadline })}\n`);
  };
  const ended = once(server, 'exit');
  const deadline = systemClock.now() + 100;
  arm(deadline);
  while (server.exitCode === null && server.signalCode === null && systemClock.now() < deadline + 8000) {
    arm(deadline);
    await pause(1);
  }
  equal(server.signalCode, 'SIGKILL', 'not ended while its agent talked');
  await ended;
  ok(id > 50, 'there was talk');
});

/** A process of the directory that hears neither SIGINT nor SIGQUIT. */
async function aStubbornServer(dataDir: string): Promise<ReturnType<typeof spawn>> {
  const program = join(dataDir, 'postgres');
  await copyFile('/bin/sleep', program);
  await chmod(program, 0o755);
  const command = `trap '' INT QUIT TERM; exec ${program} 60`;
  const server = spawn('/bin/sh', ['-c', command], { cwd: dataDir, stdio: 'ignore' });
  await once(server, 'spawn');
  return server;
}

async function aFence(t: TestContext, dataDir: string): Promise<Socket> {
  const socket = join(dataDir, 'fence.sock');
  const fence = spawn(process.execPath, [PROGRAM, JSON.stringify({ socket, dataDir, marginMs: MARGIN_MS })], {
    stdio: 'ignore',
  });
  t.after(() => fence.kill('SIGKILL'));
  const agent = await eventually('the fence listens', async () => await connected(socket), {
    holds: (seen) => seen !== undefined,
    withinMs: 10_000,
  });
  ok(agent !== undefined);
  agent.resume();
  t.after(() => agent.destroy());
  return agent;
}

async function connected(path: string): Promise<Socket | undefined> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
