/**
 * A diagnosis for people: a line each. Pure.
 * @module
 */
import { otherPodsText } from '../observed/other-pods.ts';
import { type Paint, printable } from '../terminal.ts';
import { counted } from './ours.ts';
import type { Diagnosis } from './run.ts';

/** Text; ends in a newline. */
export function diagnosisText(diagnosis: Diagnosis, checks: number, paint: Paint): string {
  const { namespace, findings, notLookedAt, others } = diagnosis;
  const wrong = findings.filter(({ severity }) => severity === 'error').length;
  const counts = [
    ...(wrong > 0 ? [`${counted(wrong, 'thing')} wrong`] : []),
    ...(findings.length > wrong ? [counted(findings.length - wrong, 'warning')] : []),
  ].join(', ');
  const well = notLookedAt.length > 0 ? 'nothing is wrong in what could be looked at' : 'nothing is wrong';
  const heading = `Autocert in namespace ${namespace}: ${counts || `${well} (${checks} checks)`}`;
  const lines = findings.map(({ severity, check, object, message, remedy }) => {
    const word = severity === 'error' ? paint('red', 'WRONG') : paint('yellow', 'WARN ');
    return `${word} [${check}] ${paint('bold', printable(object))}: ${printable(message)} — ${printable(remedy)}`;
  });
  const unseen = notLookedAt.map((line) => paint('dim', `not looked at: ${printable(line)}`));
  const other = otherPodsText(others);
  const last = other === undefined ? [] : [paint('dim', printable(other))];
  return `${[paint('bold', heading), ...lines, ...unseen, ...last].join('\n')}\n`;
}
