/**
 * Tables as kubectl prints them. Pure.
 * @module
 */
import { printable } from './terminal.ts';

/** Gives a padded cell its style. */
export type CellStyle = (cell: string, row: number, column: number) => string;

/** Lines of a table, columns as wide as they have to be; `-` stands for what is empty. */
export function tableLines(rows: readonly (readonly string[])[], style: CellStyle = (cell) => cell): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(cell).replaceAll('\n', ' ') || '-'));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return cells.map((row, index) =>
    row
      .map((cell, column) => style(column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0), index, column))
      .join('  '),
  );
}
