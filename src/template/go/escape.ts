/** Escaping for HTML, JavaScript and the query of a URL, over strings of bytes. */
import { isPrint, runesOf } from './bytes.ts';

const HTML: Readonly<Record<string, string>> = {
  '\0': '\xef\xbf\xbd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

export function htmlEscaped(text: string): string {
  return text.replace(/[\0"'&<>]/g, (char) => HTML[char] ?? char);
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

export function jsEscaped(text: string): string {
  let out = '';
  let offset = 0;
  for (const { code, width } of runesOf(text)) {
    const char = String.fromCodePoint(code);
    const isPlain = code < 0x80 ? code >= 0x20 : isPrint(code);
    const plain = text.slice(offset, offset + width);
    out += JS[char] ?? (isPlain ? plain : `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`);
    offset += width;
  }
  return out;
}

export function urlQueryEscaped(text: string): string {
  return text.replace(/[^\w.~-]/g, (char) =>
    char === ' ' ? '+' : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
