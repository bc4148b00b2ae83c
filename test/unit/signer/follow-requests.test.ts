import { jest } from '@jest/globals';
import type { WatchEventType } from '../../../runtime/kubernetes/client.ts';
import { type FollowPorts, followRequests } from '../../../runtime/signer/follow-requests.ts';
import type { PodCertificateRequest } from '../../../runtime/signer/pod-certificate-request.ts';
import { sleep } from '../../../runtime/signer/sleep.ts';
import { requestOf } from './fixtures.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

type Send = (type: WatchEventType, object: PodCertificateRequest) => void;

function answered(uid: string): PodCertificateRequest {
  return { ...requestOf({}, uid), status: { conditions: [{ type: 'Issued' }] } };
}

function at(resourceVersion: string, request: PodCertificateRequest): PodCertificateRequest {
  return { ...request, metadata: { ...request.metadata, resourceVersion } };
}

/** An API server whose watches the test drives. */
async function following(lists: PodCertificateRequest[][]) {
  const stop = new AbortController();
  const calls: string[] = [];
  const sink = new Map<string, PodCertificateRequest>();
  let watch: { send: Send; end: (error?: Error) => void } | undefined;
  const ports: FollowPorts = {
    list: async () => {
      calls.push('list');
      const items = lists.shift();
      if (!items) throw new Error('no more lists');
      return { items, resourceVersion: '100' };
    },
    watch: (version, send, signal) => {
      calls.push(`watch ${version}`);
      return new Promise((resolve, reject) => {
        watch = { send, end: (error) => (error ? reject(error) : resolve()) };
        signal.addEventListener('abort', () => resolve());
      });
    },
    sleep,
    log: { info: () => {}, warn: () => {}, error: () => {} },
  };
  const ended = followRequests(
    ports,
    {
      put: (uid, request) => void sink.set(uid, request),
      drop: (uid) => void sink.delete(uid),
      retain: (uids) => {
        for (const uid of sink.keys()) if (!uids.has(uid)) sink.delete(uid);
      },
    },
    stop.signal,
  );
  const settle = (ms = 0) => jest.advanceTimersByTimeAsync(ms);
  await settle();
  return {
    calls,
    waiting: () => [...sink.keys()].sort(),
    send: (type: WatchEventType, object: PodCertificateRequest) => watch?.send(type, object),
    /** After a minute, as the server would, unless it breaks. */
    endWatch: async (error?: Error) => {
      if (!error) await settle(60_000);
      watch?.end(error);
      await settle();
    },
    endWatchNow: async () => {
      watch?.end();
      await settle();
    },
    settle,
    stop: async () => {
      stop.abort();
      await settle();
      await ended;
    },
  };
}

test('picks up what is left open, and nothing that has an answer', async () => {
  const follow = await following([[requestOf({}, 'a'), answered('b')]]);
  expect(follow.waiting()).toEqual(['a']);
  expect(follow.calls).toEqual(['list', 'watch 100']);
  await follow.stop();
});

test('takes new requests from the watch, and lets go of those answered or deleted', async () => {
  const follow = await following([[]]);
  for (const uid of ['a', 'b', 'c']) follow.send('ADDED', requestOf({}, uid));
  follow.send('MODIFIED', answered('a'));
  follow.send('DELETED', requestOf({}, 'b'));
  expect(follow.waiting()).toEqual(['c']);
  await follow.stop();
});

test('watches on from the last version that it saw, bookmarks included', async () => {
  const follow = await following([[]]);
  follow.send('ADDED', at('101', requestOf({}, 'a')));
  await follow.endWatch();
  follow.send('BOOKMARK', at('150', requestOf({}, 'none')));
  await follow.endWatch();
  expect(follow.calls).toEqual(['list', 'watch 100', 'watch 101', 'watch 150']);
  expect(follow.waiting()).toEqual(['a']);
  await follow.stop();
});

test('lists again when the server says that the version is too old, and forgets what was deleted meanwhile', async () => {
  const follow = await following([[requestOf({}, 'a')], [requestOf({}, 'b')]]);
  follow.send('ERROR', { kind: 'Status', code: 410 } as unknown as PodCertificateRequest);
  await follow.endWatch();
  expect(follow.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  expect(follow.waiting()).toEqual(['b']);
  await follow.stop();
});

test('lists again, after a pause, when the connection breaks or the list fails', async () => {
  const follow = await following([[], []]);
  await follow.endWatch(new Error('connection reset'));
  expect(follow.calls).toEqual(['list', 'watch 100']);
  await follow.settle(1000);
  expect(follow.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  await follow.endWatch(new Error('connection reset'));
  await follow.settle(3000);
  expect(follow.calls.slice(4)).toEqual(['list', 'list', 'list']);
  await follow.stop();
});

test('does not storm a server that ends each watch at once', async () => {
  const follow = await following([[]]);
  for (let round = 0; round < 5; round += 1) {
    await follow.endWatchNow();
    await follow.settle(1000);
  }
  expect(follow.calls).toHaveLength(7);
  await follow.stop();
});
