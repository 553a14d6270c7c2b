/**
 * What must outlive our process: for which resources a reload is owed. A file is there or not, and is on the disk before
 * what it announces is done.
 */
import { access, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface Notes {
  readonly isReloadOwed: (resource: string) => Promise<boolean>;
  /** Rejects with what the system says. */
  readonly note: (resource: string, isReloadOwed: boolean) => Promise<void>;
}

export function notesIn(folder: string): Notes {
  const pathOf = (resource: string): string => join(folder, `${resource}.reload-owed`);
  return {
    isReloadOwed: async (resource) => {
      try {
        await access(pathOf(resource));
        return true;
      } catch {
        return false;
      }
    },
    note: async (resource, isReloadOwed) => {
      if (!isReloadOwed) {
        await rm(pathOf(resource), { force: true });
        return;
      }
      await mkdir(folder, { recursive: true, mode: 0o755 });
      for (const path of [pathOf(resource), folder]) {
        const file = await open(path, path === folder ? 'r' : 'w');
        await file.sync();
        await file.close();
      }
    },
  };
}
