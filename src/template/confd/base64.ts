/** Base64 with padding, as strictly as Go reads it and with its complaint. Line ends inside are passed over. */
import { Refusal } from '../go/errors.ts';

export function encodeBase64(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('base64');
}

/** Throws `Refusal` with the offset of what is wrong. */
export function decodeBase64(text: string): string {
  const wrong = firstWrong(text);
  if (wrong !== undefined) throw new Refusal(`illegal base64 data at input byte ${wrong}`);
  return Buffer.from(text, 'base64').toString('latin1');
}

/** Groups of four; the last may end in one or two `=`. */
function firstWrong(text: string): number | undefined {
  let inGroup = 0;
  let at = 0;
  const skipLineEnds = (): void => {
    while (text[at] === '\n' || text[at] === '\r') at += 1;
  };
  for (skipLineEnds(); at < text.length; skipLineEnds()) {
    const char = text[at] ?? '';
    at += 1;
    if (/[A-Za-z0-9+/]/.test(char)) {
      inGroup = (inGroup + 1) % 4;
      continue;
    }
    if (char !== '=' || inGroup < 2) return at - 1;
    if (inGroup === 2) {
      skipLineEnds();
      if (at === text.length) return at;
      if (text[at] !== '=') return at - 1;
      at += 1;
    }
    skipLineEnds();
    return at < text.length ? at : undefined;
  }
  return inGroup === 0 ? undefined : at - inGroup;
}
