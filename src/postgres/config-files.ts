/** Puts the rendered configuration in its place, and the signal files that decide whether a start is a standby's. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cleanAutoConf,
  HEADER,
  isClosedHba,
  isDurable,
  renderClosedHba,
  renderHba,
  renderPassFile,
  renderPostgresqlConf,
} from './conf.ts';
import type { ControlData } from './control-data.ts';
import { readIfThere, removeFile, syncFolder, writeWhole } from './files.ts';
import { mergeParameters } from './parameters.ts';
import type { Place } from './place.ts';
import { forgetTakenTimelines } from './taken-timelines.ts';
import type { ConfigWritten, DesiredConfig, Role } from './types.ts';

export async function writeConfigFiles(
  place: Place,
  desired: DesiredConfig,
  control: ControlData | undefined,
): Promise<ConfigWritten> {
  const { settings, owner } = place;
  const hbaPath = join(place.dataDir, 'pg_hba.conf');
  const isClosed =
    typeof desired.isClosed === 'boolean'
      ? desired.isClosed
      : isClosedHba((await readIfThere(hbaPath)) ?? '') ||
        (desired.isClosed === 'if-durable' &&
          isDurable((await readIfThere(join(place.dataDir, 'postgresql.conf'))) ?? ''));
  const conf = renderPostgresqlConf({
    settings,
    scope: place.scope,
    name: place.name,
    socketDir: place.socketDir,
    passFile: place.passFile,
    as: desired.as,
    upstream: desired.upstream,
    slot: desired.slot,
    parameters: mergeParameters(desired.parameters ?? {}, desired.own?.parameters ?? settings.parameters),
    synchronousStandbyNames: desired.synchronousStandbyNames,
    isClosed,
    control,
  });
  const open = renderHba(settings, desired.pgHba ?? desired.own?.pgHba ?? settings.pg_hba);
  const hba = isClosed ? renderClosedHba(settings) : open;
  // Left by an agent that ended in the middle of a promotion: it would still promote.
  if (desired.as === 'standby') await removeFile(join(place.dataDir, 'promote'));
  await keepBase(place);
  await writePassFile(place);
  const changes = [
    await writeWhole(hbaPath, hba, { owner }),
    await cleanAuto(place, desired.synchronousStandbyNames !== undefined),
    await writeWhole(join(place.dataDir, 'postgresql.conf'), conf, { owner }),
  ];
  return { changed: changes.includes(true) };
}

export async function writePassFile(place: Place): Promise<void> {
  await writeWhole(place.passFile, renderPassFile(place.settings), { owner: place.owner });
}

/**
 * Makes the next start what it is meant to be. A standby without `standby.signal` would come up as a second primary, so
 * it is written before anything else is done.
 */
export async function writeSignals(place: Place, as: Role): Promise<void> {
  if (as === 'standby') await forgetTakenTimelines(place);
  const standby = join(place.dataDir, 'standby.signal');
  if (as === 'standby') await writeWhole(standby, '', { owner: place.owner });
  else await removeFile(standby);
  for (const name of ['recovery.signal', 'promote', 'recovery.conf'])
    await removeFile(join(place.dataDir, name));
  await cleanAuto(place);
  await syncFolder(place.dataDir);
}

async function cleanAuto(place: Place, isDurabilityOurs = false): Promise<boolean> {
  const path = join(place.dataDir, 'postgresql.auto.conf');
  const content = await readIfThere(path);
  return content === undefined
    ? false
    : writeWhole(path, cleanAutoConf(content, isDurabilityOurs), { owner: place.owner });
}

/** What initdb wrote is kept under the name that it is included by. */
async function keepBase(place: Place): Promise<void> {
  const path = join(place.dataDir, 'postgresql.conf');
  const base = join(place.dataDir, 'postgresql.base.conf');
  const found = await readIfThere(path);
  if (found === undefined || found.startsWith(HEADER) || (await readIfThere(base)) !== undefined) return;
  await rename(path, base);
}
