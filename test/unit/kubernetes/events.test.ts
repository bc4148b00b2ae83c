import type { CoreV1Event } from '@kubernetes/client-node';
import { PodEvents } from '../../../runtime/kubernetes/events.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';

const POD = { namespace: 'shop', name: 'cart', uid: 'pod-1' };
const NOON = new Date('2026-01-01T12:00:00Z');

function recorder() {
  const created: { path: string; event: CoreV1Event }[] = [];
  const warnings: object[] = [];
  const state = { now: 0, failing: false };
  const events = new PodEvents({
    api: {
      create: async <T>(path: string, body: unknown): Promise<T> => {
        if (state.failing) throw new AutocertError('FORBIDDEN', 'events is forbidden', { status: 403 });
        created.push({ path, event: body as CoreV1Event });
        return body as T;
      },
    },
    component: 'autocert-signer',
    now: () => NOON,
    monotonic: () => state.now,
    log: { info: () => undefined, warn: (fields) => void warnings.push(fields), error: () => undefined },
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { events, created, warnings, state, settle };
}

test('writes a Warning event on the pod, as kubectl describe shows it', () => {
  const { events, created } = recorder();
  events.record(POD, 'NamespaceNotEnabled', 'namespace shop is not labelled');
  expect(created).toEqual([
    {
      path: '/api/v1/namespaces/shop/events',
      event: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: 'shop', generateName: 'cart.' },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', ...POD },
        type: 'Warning',
        reason: 'NamespaceNotEnabled',
        message: 'namespace shop is not labelled',
        source: { component: 'autocert-signer' },
        firstTimestamp: NOON,
        lastTimestamp: NOON,
        count: 1,
      },
    },
  ]);
});

test('writes a Normal event where that is what it is', () => {
  const { events, created } = recorder();
  events.record(POD, 'CertificateIssued', 'certificate 0A', 'Normal');
  expect(created).toMatchObject([{ event: { type: 'Normal', reason: 'CertificateIssued' } }]);
});

test('tells the same event of a pod once in ten minutes, and another at once', () => {
  const { events, created, state } = recorder();
  events.record(POD, 'NotAllowed', 'no');
  state.now = 599_999;
  events.record(POD, 'NotAllowed', 'no');
  expect(created).toHaveLength(1);
  events.record(POD, 'NotAllowed', 'for another reason');
  events.record({ ...POD, uid: 'pod-2' }, 'NotAllowed', 'no');
  expect(created).toHaveLength(3);
  state.now = 600_000;
  events.record(POD, 'NotAllowed', 'no');
  expect(created).toHaveLength(4);
});

test('tells at most five a second in all; what was too much may be told later', () => {
  const { events, created, state } = recorder();
  const all = () => {
    for (let pod = 0; pod < 100; pod += 1) events.record({ ...POD, uid: `pod-${pod}` }, 'NotAllowed', 'no');
  };
  all();
  expect(created).toHaveLength(5);
  state.now = 1000;
  all();
  expect(created).toHaveLength(10);
  state.now = 60_000;
  all();
  expect(created).toHaveLength(15);
});

test('cuts a long message', () => {
  const { events, created } = recorder();
  events.record(POD, 'NotAllowed', 'x'.repeat(100_000));
  expect(created[0]?.event.message).toHaveLength(1024);
});

test('a failure is logged once a minute, never thrown, and the event is told when it can be', async () => {
  const { events, created, warnings, state, settle } = recorder();
  state.failing = true;
  for (const reason of ['A', 'B', 'C']) events.record(POD, reason, 'no');
  await settle();
  expect(warnings).toEqual([{ reason: 'events is forbidden' }]);
  state.now = 60_000;
  events.record(POD, 'A', 'no');
  await settle();
  expect(warnings).toHaveLength(2);
  state.failing = false;
  events.record(POD, 'A', 'no');
  expect(created).toHaveLength(1);
});
