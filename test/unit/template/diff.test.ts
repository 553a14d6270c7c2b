/** What would change in a file: in the form that patch(1) takes, and no more than changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from '../../../src/template/apply/diff.ts';

test('nothing that changes is nothing to say', () => {
  assert.equal(unifiedDiff('a\nb\n', 'a\nb\n', '/f'), '');
  assert.equal(unifiedDiff('', '', '/f'), '');
});

test('changes have three lines around them, and those that are near are one', () => {
  const before = Array.from({ length: 20 }, (_, index) => `${index + 1}\n`).join('');
  const after = before.replace('2\n', 'two\n').replace('5\n', '5\n5b\n').replace('20\n', '');
  assert.equal(
    unifiedDiff(before, after, '/etc/f'),
    `--- /etc/f
+++ /etc/f
@@ -1,8 +1,9 @@
 1
-2
+two
 3
 4
 5
+5b
 6
 7
 8
@@ -17,4 +18,3 @@
 17
 18
 19
-20
`,
  );
});

test('a new file, an emptied one, and one without an end of line', () => {
  assert.equal(unifiedDiff('', 'a\nb\n', '/f'), '--- /f\n+++ /f\n@@ -0,0 +1,2 @@\n+a\n+b\n');
  assert.equal(unifiedDiff('a\n', '', '/f'), '--- /f\n+++ /f\n@@ -1 +0,0 @@\n-a\n');
  assert.equal(
    unifiedDiff('a', 'a\n', '/f'),
    '--- /f\n+++ /f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n',
  );
});

test('what is shown turns one text into the other', () => {
  const text = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', 'c', '', 'dd'), { maxLength: 30 }), fc.boolean())
    .map(([lines, hasEnd]) => lines.join('\n') + (hasEnd ? '\n' : ''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      assert.equal(patched(before, unifiedDiff(before, after, '/f')), after);
    }),
    { numRuns: 2_000 },
  );
});

test('texts that are too long to compare are shown as replaced', () => {
  const diff = unifiedDiff(many('old'), many('new'), '/f');
  assert.equal(diff.match(/^-old$/gm)?.length, 3_000);
  assert.equal(patched(many('old'), diff), many('new'));
});

const many = (word: string): string => `same\n${`${word}\n`.repeat(3_000)}same\n`;

/** As patch(1) does it, but without mercy. */
function patched(before: string, diff: string): string {
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const out: string[] = [];
  let at = 0;
  let lastMark = '';
  for (const line of diff.split(/(?<=\n)/).slice(2)) {
    const header = /^@@ -(\d+)(,0)?/.exec(line);
    if (header !== null) {
      const first = Number(header[1]) - (header[2] === undefined ? 1 : 0);
      out.push(...lines.slice(at, first));
      at = first;
    } else if (line.startsWith('\\')) {
      const last = out.pop();
      if (last !== undefined) out.push(lastMark === '-' ? last : last.replace(/\n$/, ''));
    } else {
      lastMark = line[0] ?? '';
      if (lastMark !== '+') {
        const isLast = at === lines.length - 1;
        assert.equal(line.slice(1), isLast ? `${(lines[at] ?? '').replace(/\n$/, '')}\n` : lines[at]);
        at += 1;
      }
      if (lastMark !== '-') out.push(line.slice(1));
    }
  }
  return [...out, ...lines.slice(at)].join('');
}
