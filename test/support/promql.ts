/**
 * As much of Prometheus' languages as tests read.
 * @module
 */

/** Names of metrics in a PromQL expression: what is no label, function or keyword. */
export function metricsIn(expr: string): readonly string[] {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(by|without|on) \([^)]*\)/g, '');
  return [...new Set(bare.match(/\b(?:[a-z]+_)+[a-z0-9_]+\b(?! ?\()|\bup\b/g) ?? [])];
}

/** One sample of the text that a program serves. */
export interface ServedSample {
  readonly name: string;
  /** As they are written, without braces. */
  readonly labels: string;
  readonly value: string;
}

/** The samples of such a text. */
export function samplesOf(text: string): readonly ServedSample[] {
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value = '']) => {
    return { name, labels, value };
  });
}

/** The text without what is not ours: Node's and Go's own metrics have names that promtool does not like. */
export function oursIn(text: string): string {
  const lines = text.split('\n').filter((line) => /^(# \w+ )?autocert_/.test(line));
  return `${lines.join('\n')}\n`;
}
