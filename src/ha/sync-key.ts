/**
 * The text of the key `sync`, in Patroni's layout (4.x): `{"leader":"a","quorum":1,"sync_standby":"b,c"}`. Patroni before 4
 * wrote it without `quorum`: each standby that is listed has everything.
 */
import { isRecord, parseJson, wholeNumber } from '../base/index.ts';
import type { Promised } from './durability.ts';

/** No leader where there is no key, or none that can be read: then nothing is promised. */
export function parsePromised(text: string | undefined): Promised {
  const json = parseJson(text ?? '');
  const { leader, sync_standby: standbys, quorum } = isRecord(json) ? json : {};
  return {
    leader: typeof leader === 'string' && leader !== '' ? leader : undefined,
    voters: typeof standbys === 'string' && standbys !== '' ? standbys.split(',').sort() : [],
    quorum: wholeNumber(quorum) ?? 0,
  };
}

export function renderPromised({ leader, voters, quorum }: Promised): string {
  const standbys = [...voters].sort().join(',');
  return JSON.stringify({ leader: leader ?? null, quorum, sync_standby: standbys === '' ? null : standbys });
}
