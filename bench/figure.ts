/**
 * What the benchmarks find out: each figure beside a baseline that was measured in the same run, in turn with it, so that
 * the ratio says something on any machine and under any load.
 * @module
 */

/** One figure. */
export interface Figure {
  /** What was measured. */
  readonly name: string;
  readonly value: number;
  /** Such as `ms`; the baseline has the same. */
  readonly unit: string;
  /** The least and the greatest of the sample that `value` is the median of. */
  readonly range?: readonly [least: number, greatest: number];
  /** What it is compared with; absent: only the number itself says something. */
  readonly baseline?: { readonly name: string; readonly value: number };
  /** What the design wants, in words. */
  readonly aim?: string;
}

/** Value over baseline. */
export function ratioOf({ value, baseline }: Figure): number | undefined {
  return baseline && baseline.value !== 0 ? value / baseline.value : undefined;
}

/** The value below which `share` (0 to 1) of the sample lies. */
export function quantile(sample: readonly number[], share: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error('an empty sample has no quantiles');
  return value;
}

/** The middle of the sample. */
export function median(sample: readonly number[]): number {
  return quantile(sample, 0.5);
}

/** The least and the greatest. */
export function range(sample: readonly number[]): readonly [number, number] {
  return [Math.min(...sample), Math.max(...sample)];
}

/** Three significant digits are more than any of this deserves. */
export function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, range: spread, baseline, aim = '' } = figure;
    const ratio = ratioOf(figure);
    return [
      name,
      `${rounded(value)} ${unit}`,
      spread ? spread.map(rounded).join(' to ') : '',
      baseline ? `${rounded(baseline.value)} ${unit}, ${baseline.name}` : '',
      ratio === undefined ? '' : ratio.toFixed(2),
      aim,
    ];
  });
  const all = [['what', 'here', 'spread', 'baseline', 'ratio', 'aim'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
