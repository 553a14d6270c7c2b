/** What `matriarch template status` shows of a watcher's answer. Pure. */
import { z } from 'zod';
import { renderTable } from '../base/index.ts';

/** What of the answer is shown. */
export const answerSchema = z.object({
  resources: z.array(
    z.object({
      resource: z.string(),
      dest: z.string(),
      applied: z.boolean(),
      revision: z.string().nullable(),
      last_success: z.string().nullable(),
      last_error: z.object({ because: z.string(), message: z.string(), at: z.string() }).nullable(),
      next_retry: z.string().nullable(),
      reload_owed: z.boolean(),
    }),
  ),
});

const COLUMNS = ['Resource', 'File', 'Applied', 'Revision', 'Last success', 'Next try'];

/** The table, and below it what went wrong last. */
export function renderFiles({ resources }: z.infer<typeof answerSchema>): string {
  const rows = resources.map((each) => [
    each.resource,
    each.dest,
    each.applied ? 'yes' : each.reload_owed ? 'reload owed' : 'no',
    each.revision ?? '',
    each.last_success ?? 'never',
    each.next_retry ?? '',
  ]);
  const errors = resources.flatMap(({ resource, last_error: error }) =>
    error === null ? [] : [` ${resource}: ${error.at} ${error.because}: ${error.message}\n`],
  );
  return (
    renderTable(
      COLUMNS.map((title) => ({ title })),
      rows,
    ) + errors.join('')
  );
}
