import { idleShare, parseCpuTimes } from '../../../bench/idle.ts';

const STAT = `cpu  100 10 50 800 40 3 7 0 99 9
cpu0 50 5 25 400 20 2 3 0 49 4
intr 1 2 3
`;

test('waiting for a disk is idle, and the time of guests is not counted twice', () => {
  expect(parseCpuTimes(STAT)).toEqual({ busy: 170, idle: 840 });
});

test('the share is of the time between two looks', () => {
  expect(idleShare({ busy: 100, idle: 900 }, { busy: 110, idle: 990 })).toBe(0.9);
});

test('two looks in the same tick see an idle processor', () => {
  expect(idleShare({ busy: 1, idle: 1 }, { busy: 1, idle: 1 })).toBe(1);
});
