/** The time zone of this host, as Go finds it: that of `TZ`, else `/etc/localtime`. */
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Zone } from '../go/time.ts';
import { readZoneFile, type ZoneNames } from '../go/zone-file.ts';

const LOCAL_FILE = '/etc/localtime';
const FOLDERS = ['/usr/share/zoneinfo', '/usr/share/lib/zoneinfo', '/usr/lib/locale/TZ'];

/** @param setting - the variable `TZ`: a name such as `Europe/Bucharest`, a path, or "" for UTC */
export function hostZone(setting: string | undefined): Zone {
  const names = namesOf(setting);
  return (epochMs) => {
    const offsetSeconds = -new Date(epochMs).getTimezoneOffset() * 60;
    return { offsetSeconds, name: names?.at(epochMs / 1000, offsetSeconds) ?? nameOf(offsetSeconds) };
  };
}

function namesOf(setting: string | undefined): ZoneNames | undefined {
  for (const path of pathsOf(setting))
    try {
      return readZoneFile(readFileSync(path));
    } catch {
      // Not there, or no such file: the next place, and at last the offset stands for the name.
    }
  return undefined;
}

function pathsOf(setting: string | undefined): string[] {
  if (setting === undefined) return [LOCAL_FILE];
  const name = setting.replace(/^:/, '');
  if (name === '') return [];
  return isAbsolute(name) ? [name] : FOLDERS.map((folder) => join(folder, name));
}

/** As zones are called that have no name of their own: `+02`, `-0330`. */
function nameOf(offsetSeconds: number): string {
  if (offsetSeconds === 0) return 'UTC';
  const minutes = Math.abs(offsetSeconds) / 60;
  const parts = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0'));
  return (offsetSeconds < 0 ? '-' : '+') + (parts[1] === '00' ? parts.slice(0, 1) : parts).join('');
}
