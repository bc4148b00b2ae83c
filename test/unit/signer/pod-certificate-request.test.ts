import { isPending, Work } from '../../../runtime/signer/pod-certificate-request.ts';
import { MINUTE, NOON, requestOf } from './fixtures.ts';

const SEEN_AT = 1_000_000;
const END = 13 * MINUTE;

function nearTheEndAt(minutesAfterCreation: number, isNew = false, creationTimestamp?: string): number {
  const now = new Date(NOON.getTime() + minutesAfterCreation * MINUTE);
  const request = requestOf({}, 'r', creationTimestamp === undefined ? {} : { creationTimestamp });
  return new Work(request, isNew, { monotonic: SEEN_AT, now }).nearTheEndAt;
}

test('kubelet is about to give a request up 13 minutes after its creation', () => {
  expect(nearTheEndAt(0)).toBe(SEEN_AT + END);
  expect(nearTheEndAt(5)).toBe(SEEN_AT + END - 5 * MINUTE);
  expect(nearTheEndAt(19)).toBe(SEEN_AT + END - 19 * MINUTE);
});

test('where the clocks disagree, 13 minutes after it was seen first', () => {
  expect(nearTheEndAt(-1)).toBe(SEEN_AT + END);
  expect(nearTheEndAt(21)).toBe(SEEN_AT + END);
  expect(nearTheEndAt(5, false, 'no time')).toBe(SEEN_AT + END);
});

test('what the watch brings was made just now, whatever the clocks say', () => {
  expect(nearTheEndAt(12, true)).toBe(SEEN_AT + END);
});

test('of what is held, who wrote which field is left out', () => {
  const request = requestOf({}, 'r', { managedFields: [{ manager: 'kubelet' }], labels: { a: 'b' } });
  const work = new Work(request, true, { monotonic: 0, now: NOON });
  expect(work.request.metadata).not.toHaveProperty('managedFields');
  expect(work.request).toMatchObject({ metadata: { labels: { a: 'b' }, resourceVersion: '10' }, spec: request.spec });
});

test('a request is pending until it has a condition', () => {
  expect(isPending(requestOf())).toBe(true);
  expect(isPending({ ...requestOf(), status: {} })).toBe(true);
  const condition = { type: 'Denied', status: 'True', reason: '', message: '', lastTransitionTime: '' };
  expect(isPending({ ...requestOf(), status: { conditions: [condition] } })).toBe(false);
});
