/** The time zone of this host, as Go finds it: that of `TZ`, else `/etc/localtime`; UTC where there is none. */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { UTC, type Zone } from '../go/time.ts';
import { readZoneFile } from '../go/zone-file.ts';

const LOCAL_FILE = '/etc/localtime';
const FOLDERS = ['/usr/share/zoneinfo', '/usr/share/lib/zoneinfo', '/usr/lib/locale/TZ'];

/** @param setting - the variable `TZ`: a name such as `Europe/Bucharest`, a path, or "" for UTC */
export function hostZone(setting: string | undefined): Zone {
  let zone: Zone | undefined;
  // Not before a template asks: most do not.
  return (epochMs) => (zone ??= readZone(setting))(epochMs);
}

function readZone(setting: string | undefined): Zone {
  for (const path of pathsOf(setting))
    try {
      return readZoneFile(readFileSync(path));
    } catch {
      // Not there, or no such file: the next place.
    }
  return UTC;
}

function pathsOf(setting: string | undefined): string[] {
  if (setting === undefined) return [LOCAL_FILE];
  const name = setting.replace(/^:/, '');
  if (name === '') return [];
  return isAbsolute(name) ? [name] : FOLDERS.map((folder) => join(folder, name));
}
