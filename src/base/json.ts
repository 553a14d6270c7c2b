/** Reading JSON that others wrote: nothing throws, nothing is believed to have a type it was not seen to have. */

/** The value, or undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  // A key that is not there, asked for in each loop: an exception is dear.
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller reports the key as unreadable.
    return undefined;
  }
}

/** An object with keys: not null, not an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A count, position or timeline: a whole number that is exact and not negative. */
export function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
