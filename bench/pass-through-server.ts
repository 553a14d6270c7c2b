/**
 * `node pass-through-server.js HOST PORT SERVER_HOST SERVER_PORT`: hands bytes on between each client and a connection of
 * its own to the server, and looks at none of them. What it costs is what sockets cost in Node.js.
 */
import { connect, createServer } from 'node:net';
import { Scratch } from '../src/router/scratch.ts';
import { readShared } from '../src/router/shared-read.ts';

const BUFFER_BYTES = 64 * 1024;

const [host, port, serverHost = '', serverPort] = process.argv.slice(2);
const scratch = new Scratch(BUFFER_BYTES);

createServer({ noDelay: true }, (client) => {
  const server = connect({
    host: serverHost,
    port: Number(serverPort),
    noDelay: true,
    onread: {
      buffer: scratch.bytes,
      callback: (bytes) => {
        client.write(Buffer.from(scratch.beginning(bytes)));
        return true;
      },
    },
  });
  readShared(client, scratch, (chunk) => server.write(Buffer.from(chunk)));
  client.on('error', () => undefined).on('close', () => server.destroy());
  server.on('error', () => undefined).on('close', () => client.destroy());
}).listen(Number(port), host);
