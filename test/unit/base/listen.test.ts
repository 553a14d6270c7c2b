/** Why an address cannot be listened on, in an operator's words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, listenError, MatriarchError } from '../../../src/base/index.ts';

const address = { host: '10.1.0.2', port: 5432 };

function told(errno: string): { code: string; message: string } | string {
  const error = listenError(Object.assign(new Error(errno), { code: errno }), address, 'the router');
  return error instanceof MatriarchError ? { code: error.code, message: error.message } : String(error);
}

test('the reasons that an address cannot be listened on have codes of their own', () => {
  const message = 'the router cannot listen on 10.1.0.2:5432';
  assert.deepEqual(told('EADDRINUSE'), { code: 'address-in-use', message });
  assert.deepEqual(told('EADDRNOTAVAIL'), { code: 'address-not-available', message });
  assert.deepEqual(told('ENOTFOUND'), { code: 'address-not-available', message });
  assert.deepEqual(told('EACCES'), { code: 'address-forbidden', message });
});

test('any other failure stays what it is', () => {
  assert.equal(told('EMFILE'), 'Error: EMFILE');
  assert.equal(listenError('text', address, 'the router'), 'text');
});

test('an IPv6 host stands in brackets', () => {
  assert.equal(formatAddress({ host: '::1', port: 5432 }), '[::1]:5432');
  assert.equal(formatAddress(address), '10.1.0.2:5432');
});
