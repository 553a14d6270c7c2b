/**
 * DateStyle, PostgreSQL's only setting whose value is made of what is said and what was there before: a style and an order
 * of day and month, of which a SET may name one. What a SET comes to is told here as one value that says both; what nobody
 * has said is `DEFAULT`, which PostgreSQL reads as that part of what a RESET goes back to. Pure.
 */

export const DATE_STYLE = 'datestyle';

interface Parts {
  readonly style: string | undefined;
  readonly order: string | undefined;
}

const NOTHING_SAID: Parts = { style: undefined, order: undefined };

/** As in PostgreSQL's check_datestyle: of some words only the beginning counts. */
const STYLES: readonly (readonly [RegExp, string])[] = [
  [/^iso$/i, 'ISO'],
  [/^sql$/i, 'SQL'],
  [/^postgres/i, 'Postgres'],
  [/^german$/i, 'German'],
];
const ORDERS: readonly (readonly [RegExp, string])[] = [
  [/^ymd$/i, 'YMD'],
  [/^(dmy$|euro)/i, 'DMY'],
  [/^(mdy$|us$|noneuro)/i, 'MDY'],
];

/** What holds once `said` was set where `before` was, in PostgreSQL's own words. */
export function dateStyleAfter(before: string | undefined, said: string): string {
  const { style, order } = partsOf(said, before === undefined ? NOTHING_SAID : partsOf(before, NOTHING_SAID));
  const isWhole = style !== undefined && order !== undefined;
  return [style, order, isWhole ? undefined : 'DEFAULT'].filter((part) => part !== undefined).join(', ');
}

function partsOf(text: string, before: Parts): Parts {
  let { style, order } = before;
  let isOrderSaid = false;
  let isStyleSaid = false;
  for (const part of text.split(',')) {
    const word = part.trim().replace(/^"(.*)"$/, '$1');
    const saidStyle = named(STYLES, word);
    const saidOrder = named(ORDERS, word);
    if (saidStyle !== undefined) {
      style = saidStyle;
      isStyleSaid = true;
      // It says the order too, where nothing else does.
      if (saidStyle === 'German' && !isOrderSaid) order = 'DMY';
    } else if (saidOrder !== undefined) {
      order = saidOrder;
      isOrderSaid = true;
    } else if (/^default$/i.test(word)) {
      if (!isStyleSaid) style = undefined;
      if (!isOrderSaid) order = undefined;
    }
  }
  return { style, order };
}

function named(words: readonly (readonly [RegExp, string])[], word: string): string | undefined {
  return words.find(([pattern]) => pattern.test(word))?.[1];
}
