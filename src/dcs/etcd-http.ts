/**
 * One POST to one etcd member, by undici's dispatch: the level at which it is known whether a request was
 * written to the socket, which decides whether a change can have happened. Waits are ours, not undici's (its
 * timers tick by the second).
 */
import type { Dispatcher } from 'undici';
import { describe } from '../base/index.ts';

/** `sent: false` is a promise that not a byte of the request left this host. */
export type HttpResult =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  | {
      readonly kind: 'failed';
      readonly sent: boolean;
      readonly because: 'timeout' | 'connection';
      readonly detail: string;
    };

export interface HttpWaits {
  /** Longest wait until the request is on its way (connect, TLS). Milliseconds. */
  readonly sendMs: number;
  /** Longest wait until the answer is complete, from the start. Milliseconds. */
  readonly answerMs: number;
}

/** An answer longer than this is not ours to hold. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Sends and waits; never rejects. */
export async function post(
  dispatcher: Dispatcher,
  path: string,
  body: string,
  waits: HttpWaits,
): Promise<HttpResult> {
  return await new Promise<HttpResult>((resolve) => {
    let stream: HttpStream | undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (result: HttpResult): void => {
      clearTimeout(sendTimer);
      clearTimeout(answerTimer);
      resolve(result);
      stream?.abort();
    };
    const expire = (): void => {
      const sent = stream?.isSent ?? false;
      finish({
        kind: 'failed',
        sent,
        because: 'timeout',
        detail: sent ? 'no answer in time' : 'no connection in time',
      });
    };
    const answerTimer = setTimeout(expire, waits.answerMs);
    const sendTimer = setTimeout(() => {
      if (stream?.isSent !== true) expire();
    }, waits.sendMs);
    stream = openStream(dispatcher, path, body, {
      data: (chunk) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > ANSWER_BYTES_MAX) {
          finish({
            kind: 'failed',
            sent: true,
            because: 'connection',
            detail: `answer longer than ${ANSWER_BYTES_MAX} bytes`,
          });
        }
      },
      end: (status) => finish({ kind: 'answer', status, text: Buffer.concat(chunks).toString('utf8') }),
      failed: (sent, detail) => finish({ kind: 'failed', sent, because: 'connection', detail }),
    });
  });
}

export interface StreamHandler {
  /** Part of the body; owned by the receiver. */
  readonly data: (chunk: Buffer, status: number) => void;
  readonly end: (status: number) => void;
  readonly failed: (sent: boolean, detail: string) => void;
}

export interface HttpStream {
  /** True from just before the first byte is written. */
  readonly isSent: boolean;
  /** Ends it; the handler hears nothing more. A request not yet written never will be. */
  readonly abort: () => void;
}

/** Sends and hands on the body as it comes, without a time limit of its own. */
export function openStream(
  dispatcher: Dispatcher,
  path: string,
  body: string,
  handler: StreamHandler,
): HttpStream {
  let controller: Dispatcher.DispatchController | undefined;
  let isSent = false;
  let isOver = false;
  let status = 0;
  const once = (report: () => void): void => {
    if (isOver) return;
    isOver = true;
    report();
  };
  const aborted = new Error('given up');
  dispatcher.dispatch(
    {
      method: 'POST',
      path,
      body,
      headersTimeout: 0,
      bodyTimeout: 0,
    },
    {
      onRequestStart: (started) => {
        if (isOver) {
          started.abort(aborted);
          return;
        }
        controller = started;
        isSent = true;
      },
      onResponseStart: (_controller, statusCode) => {
        status = statusCode;
      },
      onResponseData: (_controller, chunk) => {
        if (!isOver) handler.data(chunk, status);
      },
      onResponseEnd: () => once(() => handler.end(status)),
      onResponseError: (_controller, error) => once(() => handler.failed(isSent, describe(error))),
    },
  );
  return {
    get isSent() {
      return isSent;
    },
    abort: () => {
      if (isOver) return;
      isOver = true;
      controller?.abort(aborted);
    },
  };
}
