/** The name of a member's physical replication slot, by Patroni's rule, so that both make and keep the same slot. */

const NAME_BYTES_MAX = 63;

/**
 * Lower case; `-` and `.` become `_`; any other character outside `[a-z0-9_]` becomes `u` and its code point in
 * at least four decimal digits; cut to PostgreSQL's 63 bytes. Two names may share a slot name: the caller checks.
 */
export function slotNameOf(memberName: string): string {
  let slot = '';
  for (const character of memberName.toLowerCase()) {
    if (/[a-z0-9_]/.test(character)) slot += character;
    else if (character === '-' || character === '.') slot += '_';
    else slot += `u${String(character.codePointAt(0)).padStart(4, '0')}`;
  }
  return slot.slice(0, NAME_BYTES_MAX);
}
