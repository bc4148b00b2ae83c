import { jest } from '@jest/globals';
import type { WatchEventType } from '../../../runtime/kubernetes/client.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { sleep } from '../../../runtime/lib/loops.ts';
import { type ListWatchPorts, listWatch } from '../../../runtime/signer/list-watch.ts';
import type { PodCertificateRequest } from '../../../runtime/signer/pod-certificate-request.ts';
import { noLog, requestOf } from './fixtures.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

type Send = (type: WatchEventType, object: PodCertificateRequest) => void;

function answered(uid: string): PodCertificateRequest {
  const condition = { type: 'Issued', status: 'True', reason: '', message: '', lastTransitionTime: '' };
  return { ...requestOf({}, uid), status: { conditions: [condition] } };
}

function at(resourceVersion: string, request: PodCertificateRequest): PodCertificateRequest {
  return { ...request, metadata: { ...request.metadata, resourceVersion } };
}

/** An API server whose watches the test drives; a list is given in two pages. */
async function following(lists: PodCertificateRequest[][], capacity = Number.POSITIVE_INFINITY) {
  const stop = new AbortController();
  const calls: string[] = [];
  const callTimes: number[] = [];
  const sink = new Map<string, boolean>();
  let watch: { send: Send; end: (error?: Error) => void } | undefined;
  const call = (what: string) => {
    calls.push(what);
    callTimes.push(performance.now());
  };
  const ports: ListWatchPorts = {
    list: async (onPage) => {
      call('list');
      const items = lists.shift();
      if (!items) throw new Error('no more lists');
      onPage(items.slice(0, 1));
      onPage(items.slice(1));
      return '100';
    },
    watch: (version, send, signal) => {
      call(`watch ${version}`);
      return new Promise((resolve, reject) => {
        watch = { send, end: (error) => (error ? reject(error) : resolve()) };
        signal.addEventListener('abort', () => resolve());
      });
    },
    sleep,
    random: () => 0,
    log: noLog,
  };
  const ended = listWatch(
    ports,
    {
      put: ({ metadata }, isNew) => {
        if (sink.size >= capacity && !sink.has(metadata.uid)) return false;
        sink.set(metadata.uid, isNew);
        return true;
      },
      drop: (uid) => void sink.delete(uid),
      retain: (uids) => {
        for (const uid of sink.keys()) if (!uids.has(uid)) sink.delete(uid);
      },
      get hasRoom() {
        return sink.size < capacity / 2;
      },
    },
    stop.signal,
  );
  const settle = (ms = 0) => jest.advanceTimersByTimeAsync(ms);
  await settle();
  return {
    calls,
    callTimes,
    waiting: () => [...sink.keys()].sort(),
    isNew: (uid: string) => sink.get(uid),
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
  const follow = await following([[requestOf({}, 'a'), answered('b'), requestOf({}, 'c')]]);
  expect(follow.waiting()).toEqual(['a', 'c']);
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

test('tells what was made just now from what was there', async () => {
  const follow = await following([[requestOf({}, 'a')]]);
  follow.send('ADDED', requestOf({}, 'b'));
  expect([follow.isNew('a'), follow.isNew('b')]).toEqual([false, true]);
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
  await follow.settle(1000);
  expect(follow.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  expect(follow.waiting()).toEqual(['b']);
  await follow.stop();
});

test('lists again, after a pause, when the connection breaks', async () => {
  const follow = await following([[], []]);
  await follow.endWatch(new Error('connection reset'));
  expect(follow.calls).toEqual(['list', 'watch 100']);
  await follow.settle(1000);
  expect(follow.calls).toEqual(['list', 'watch 100', 'list', 'watch 100']);
  await follow.stop();
});

test('leaves a failing server alone for longer and longer: at least 1 s, at most 30 s', async () => {
  const random = jest.spyOn(Math, 'random').mockReturnValue(1);
  const calls: number[] = [];
  const stop = new AbortController();
  const fail = async () => {
    calls.push(performance.now());
    throw new Error('no');
  };
  const sink = { put: () => true, drop: () => undefined, retain: () => undefined, hasRoom: true };
  const ended = listWatch({ list: fail, watch: fail, sleep, log: noLog }, sink, stop.signal);
  await jest.advanceTimersByTimeAsync(300_000);
  const pauses = calls.slice(1).map((time, index) => Math.round((time - (calls[index] ?? 0)) / 1000));
  expect(pauses.slice(0, 5)).toEqual([3, 9, 27, 30, 30]);
  stop.abort();
  await jest.advanceTimersByTimeAsync(0);
  await ended;
  random.mockRestore();
});

test('also when lists succeed and each watch breaks at once', async () => {
  const follow = await following(Array.from({ length: 50 }, () => []));
  for (let second = 0; second < 60; second += 1) {
    await follow.endWatch(new Error('connection reset'));
    await follow.settle(1000);
  }
  // By chance 0 every pause is the shortest.
  expect(follow.calls.filter((call) => call === 'list').length).toBeLessThanOrEqual(61);
  await follow.stop();
});

test('gives a server the time that it asks for', async () => {
  const follow = await following([[], []]);
  await follow.endWatch(new AutocertError('UNAVAILABLE', 'too many requests', { retryAfterMs: 20_000 }));
  await follow.settle(19_999);
  expect(follow.calls).toHaveLength(2);
  await follow.settle(1);
  expect(follow.calls).toHaveLength(4);
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

test('what there was no room for is listed again once there is', async () => {
  const all = ['a', 'b', 'c', 'd', 'e'].map((uid) => requestOf({}, uid));
  const follow = await following([all, all.slice(3)], 4);
  expect(follow.waiting()).toEqual(['a', 'b', 'c', 'd']);
  follow.send('MODIFIED', answered('a'));
  follow.send('MODIFIED', answered('b'));
  expect(follow.calls).toEqual(['list', 'watch 100']);
  follow.send('MODIFIED', answered('c'));
  await follow.settle(1000);
  expect(follow.calls.slice(2, 3)).toEqual(['list']);
  expect(follow.waiting()).toEqual(['d', 'e']);
  await follow.stop();
});
