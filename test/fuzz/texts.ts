/**
 * Texts that somebody who means harm, or whose keyboard slips, would send.
 * @module
 */
import fc, { type Arbitrary } from 'fast-check';

/** Characters that programs disagree about: case, width, direction, what is a dot or a space, what ends a line or a text. */
const ODD = [
  ...['\u0000', '\u0007', '\u001b[31m', '\n', '\r\n', '\t', ' ', '\u00a0', '\u2028', '\u2029', '\ufeff', '\u200b'],
  ...['\u202e', '\u0430', '\u0435', '\u0131', '\u0130', '\u017f', '\u212a', '\u00df', '\u3002', '\uff0e', '\uff61'],
  ...['\u00b5', '\u03bc', '\u0660', '\uff11', '\u0301', '\ud83d\ude00', '\ud800', '\ufffd', '%2e', '%00', '\\', '"'],
  ...['.', '..', '-', '_', '*', '**', ',', ':', '/', '@', '$', '{', '}', '<', "'", '`', '\u00e9', '\u4e2d'],
];

/** One of the odd pieces. */
export const oddPiece: Arbitrary<string> = fc.constantFrom(...ODD);

type Edit = readonly [kind: 'insert' | 'delete' | 'upper' | 'double', at: number, piece: string];
const edit: Arbitrary<Edit> = fc.tuple(
  fc.constantFrom('insert', 'delete', 'upper', 'double'),
  fc.double({ min: 0, max: 1, noNaN: true }),
  oddPiece,
);

/** Mostly as it is; else with one or two small changes. */
export function mutated(texts: Arbitrary<string>): Arbitrary<string> {
  const edits = fc.oneof(
    { arbitrary: fc.constant<Edit[]>([]), weight: 3 },
    { arbitrary: fc.array(edit, { minLength: 1, maxLength: 2 }), weight: 2 },
  );
  return fc.tuple(texts, edits).map(([text, list]) => list.reduce(changed, text));
}

function changed(text: string, [kind, share, piece]: Edit): string {
  const at = Math.floor(share * text.length);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (kind) {
    case 'insert':
      return before + piece + after;
    case 'delete':
      return before + after.slice(1);
    case 'upper':
      return before + after.slice(0, 1).toUpperCase() + after.slice(1);
    case 'double':
      return before + after.slice(0, 1) + after;
  }
}

/** Anything at all, some of it long. */
export const anyText: Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(oddPiece, { maxLength: 6 }).map((pieces) => pieces.join('')),
  fc.tuple(oddPiece, fc.integer({ min: 60, max: 3000 })).map(([piece, times]) => piece.repeat(times)),
);
