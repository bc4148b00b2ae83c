/** The table of faults, and what is told of a run of them. */

import type { Row } from '../../e2e/faults/fault.ts';
import { FAULTS, selectFaults } from '../../e2e/faults/index.ts';
import { lineOf, report } from '../../e2e/faults/report.ts';

const fault = { id: 'ca-killed', name: 'CA | killed', happens: 'New pods wait.' };
const row: Row = {
  fault,
  longestStart: 2.04,
  failedRequests: 0,
  gap: 0,
  recovery: 1.5,
  recoveries: { native: 1.5 },
  problems: [],
  notes: ['seen'],
};
const none: Row = { ...row, fault: { ...fault, id: 'none' }, recovery: 9 };
const lost: Row = { ...row, recovery: 4, failedRequests: 3, gap: 1, problems: ['3 requests failed\nmore'] };

test('there are at least 25 faults', () => expect(FAULTS.length - 1).toBeGreaterThanOrEqual(25));

test('each has an id of its own', () => expect(new Set(FAULTS.map(({ id }) => id)).size).toBe(FAULTS.length));

test('some can be chosen by the beginnings of their ids', () =>
  expect(selectFaults(['ca-kill', 'none']).map(({ id }) => id)).toEqual(['none', 'ca-killed']));

test('a word that names no fault is refused', () => expect(() => selectFaults(['pigeon'])).toThrow(/pigeon/));

test('the report counts the faults, not the row for comparison', () =>
  expect(report('{{figures}}', [none, row, lost])).toBe(
    '2 faults, 1 survived; recovery within 4.0 s in the median,\n4.0 s at most.'.replace('\n', ' '),
  ));

test('a row has its notes, and no character that would end a cell', () =>
  expect(report('{{table}}', [row])).toContain(
    '\n| CA \\| killed | New pods wait. seen. | nothing | none failed | 2.0 s | 1.5 s |',
  ));

test('a row says what was lost, in a line', () =>
  expect(report('{{table}}', [lost])).toContain('| 3 requests failed | 3 failed, gap 1.0 s |'));

test('a line for the terminal begins with how it went', () => {
  expect(lineOf(row)).toMatch(/^ok {5}ca-killed/);
  expect(lineOf(lost)).toMatch(/^FAILED ca-killed.*\n.*PROBLEM 3 requests failed/s);
});

test('what could not be measured is a dash', () =>
  expect(report('{{table}}', [{ ...row, recovery: Number.NaN }])).toContain('| — |'));
