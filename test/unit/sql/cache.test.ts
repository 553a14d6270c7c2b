/** The cache of answers is bounded by entries and by bytes, and shares an answer only where no literal matters. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { loadClassifier } from '../../../src/sql/index.ts';

it('a text seen before is answered from the cache with the same value', async () => {
  const classifier = await loadClassifier();
  const first = classifier.classify('SELECT 1');
  assert.equal(classifier.classify('SELECT 1'), first);
  const { cacheHits, cacheMisses, cacheEntries } = classifier.stats();
  assert.deepEqual(
    { cacheHits, cacheMisses, cacheEntries },
    { cacheHits: 1, cacheMisses: 1, cacheEntries: 1 },
  );
});

it('texts that differ in a literal only share one answer', async () => {
  const classifier = await loadClassifier();
  const first = classifier.classify('SELECT a FROM t WHERE i = 1');
  assert.equal(classifier.classifyBytes(Buffer.from('SELECT a FROM t WHERE i = 2')), first);
  const { digestHits, textHits, cacheMisses } = classifier.stats();
  assert.deepEqual({ digestHits, textHits, cacheMisses }, { digestHits: 1, textHits: 0, cacheMisses: 1 });
});

it('texts in which a literal matters share no answer', async () => {
  const classifier = await loadClassifier();
  assert.equal(classifier.classify("SELECT current_setting('search_path')").kind, 'read');
  assert.equal(classifier.classify("SELECT current_setting('data_directory')").kind, 'write');
  assert.equal(classifier.classify("SELECT current_setting('search_path')").kind, 'read');
  const { digestHits, textHits, cacheMisses, cacheEntries } = classifier.stats();
  // The third entry is that of the digest: it says that the text must be asked.
  assert.deepEqual(
    { digestHits, textHits, cacheMisses, cacheEntries },
    { digestHits: 0, textHits: 1, cacheMisses: 2, cacheEntries: 3 },
  );
});

it('many texts do not grow the cache beyond its entries, nor drop the one in use', async () => {
  const classifier = await loadClassifier({ cacheEntriesMax: 100 });
  for (let id = 0; id < 1_000; id++) {
    classifier.classify(`SELECT a${id}`);
    classifier.classify('SELECT now()');
  }
  const { cacheEntries, cacheHits } = classifier.stats();
  assert.deepEqual({ cacheEntries, cacheHits }, { cacheEntries: 100, cacheHits: 999 });
});

it('long texts do not grow the cache beyond its bytes', async () => {
  const cacheBytesMax = 256 * 1024;
  const classifier = await loadClassifier({ cacheBytesMax });
  for (let id = 0; id < 200; id++) {
    classifier.classify(`SELECT "${String(id).padEnd(4_000, 'x')}"`);
    assert.ok(classifier.stats().cacheBytes <= cacheBytesMax);
  }
  assert.ok(classifier.stats().cacheEntries < 200);
});

it('a text that is not looked at takes no room', async () => {
  const classifier = await loadClassifier();
  classifier.classify(`SELECT '${'x'.repeat(20_000)}'`);
  assert.equal(classifier.stats().cacheEntries, 0);
});

it('a text larger than the whole cache is answered all the same', async () => {
  const classifier = await loadClassifier({ cacheBytesMax: 1_024 });
  assert.equal(classifier.classify(`SELECT "${'x'.repeat(2_000)}"`).kind, 'read');
  assert.equal(classifier.stats().cacheEntries, 0);
});
