import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REMEMBERED_MS } from '../../../runtime/cli/observed/memory.ts';
import { remembering, status } from '../../../runtime/cli/status/run.ts';
import { watchStatus } from '../../../runtime/cli/status/watch.ts';
import { painter } from '../../../runtime/cli/terminal.ts';
import { kubeconfig } from '../../../runtime/kubernetes/kubeconfig.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { ObjectStore } from '../../support/object-store.ts';
import { runningPod } from '../../support/pods.ts';
import { webhookConfig } from '../../support/reviews.ts';
import { foreignWebhook } from '../../support/sick-cluster.ts';

const NOW = new Date('2026-11-29T12:00:00Z');
const STAMP = NOW.toISOString();

/** Watches until `rounds` pauses are over; what was written, and how long each pause was. */
async function watched(read: () => Promise<string>, rounds: number, rows?: number) {
  const stop = new AbortController();
  const written: string[] = [];
  const pauses: number[] = [];
  await watchStatus(read, {
    write: (text) => written.push(text),
    ...(rows !== undefined && { rows: () => rows }),
    stop: stop.signal,
    now: () => NOW,
    sleep: async (ms) => {
      pauses.push(ms);
      if (pauses.length === rounds) stop.abort();
    },
  });
  return { written, pauses };
}

describe('autocert status --watch', () => {
  test('appends every two seconds where there is no terminal', async () => {
    let count = 0;
    const { written, pauses } = await watched(async () => `status ${++count}\n`, 3);
    expect(written).toEqual([1, 2, 3].map((number) => `${STAMP}\nstatus ${number}\n\n`));
    expect(pauses).toEqual([2_000, 2_000, 2_000]);
  });

  test('draws a terminal anew, and leaves nothing of what was there before', async () => {
    const { written } = await watched(async () => 'a\nb\n', 1, 24);
    expect(written).toEqual([`\u001b[H${STAMP}\u001b[K\na\u001b[K\nb\u001b[K\n\u001b[J`]);
  });

  test('shows as much as there is room for, and says that there is more', async () => {
    const { written } = await watched(async () => 'a\nb\nc\nd\n', 1, 4);
    expect(written.join('').split('\n').length - 1).toBe(3);
    expect(written.join('')).toContain('a\u001b[K\n… and 3 more lines');
  });

  test('says that the cluster does not answer, with what it said last, and asks again', async () => {
    let count = 0;
    const read = async () => {
      count += 1;
      if (count === 2) throw new Error('no route');
      return `status ${count}\n`;
    };
    const { written } = await watched(read, 3);
    expect(written.map((text) => text.slice(STAMP.length + 1))).toEqual([
      'status 1\n\n',
      'Not asked again since: no route\nstatus 1\n\n',
      'status 3\n\n',
    ]);
  });

  test('fails at once where there is nothing to begin with', async () => {
    await expect(watched(() => Promise.reject(new Error('no route')), 1)).rejects.toThrow('no route');
  });

  test.each(['json', 'yaml'] as const)('is not for programs: %s', async (output) => {
    const options = { allNamespaces: true, output, autocertNamespace: 'step', watch: true };
    const effects = { connect: () => ({}), now: NOW, paint: painter(false) };
    await expect(status(options, effects as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('what hardly ever changes', () => {
  const REGISTRATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  const options = { namespace: 'shop', allNamespaces: false, output: 'json', autocertNamespace: 'step' } as const;

  /** A cluster with a pod that is not injected, beside another installation; somebody looks again and again. */
  function watching() {
    const store = new ObjectStore();
    const data = { 'config.json': JSON.stringify(webhookConfig()) };
    store.objects.set('/api/v1/namespaces/step/configmaps/autocert-config', { data });
    store.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels: { 'tls.example.com': 'on' } } });
    store.lists.set('/api/v1/namespaces/shop/pods', [runningPod()]);
    const namespaceSelector = { matchLabels: { 'tls.example.com': 'on' } };
    store.lists.set(REGISTRATIONS, [foreignWebhook('other', { name: 'autocert.step.sm', namespaceSelector })]);
    let clock = 0;
    const readers = remembering(() => clock);
    const later = async (ms: number) => {
      clock += ms;
      store.calls.length = 0;
      const text = await status(options, { connect: () => ({ api: store }), now: NOW, paint: painter(false), readers });
      const slow = /autocert-config$|webhookconfigurations$|namespaces\/shop$/;
      return { ...JSON.parse(text), asked: store.calls.filter((call) => slow.test(call)).length };
    };
    return { store, later };
  }

  test('is asked anew after half a minute, and not before, and told alike', async () => {
    const { later } = watching();
    const others = [{ kind: 'original', pods: 1 }];
    expect(await later(0)).toMatchObject({ asked: 4, others, pods: [] });
    expect(await later(2_000)).toMatchObject({ asked: 0, others, pods: [] });
    expect(await later(REMEMBERED_MS - 2_001)).toMatchObject({ asked: 0, others, pods: [] });
    expect(await later(1)).toMatchObject({ asked: 4, others, pods: [] });
  });

  test('is asked anew at once where the API server had no time for it', async () => {
    const { store, later } = watching();
    store.failures.set(REGISTRATIONS, apiError(429, 'TooManyRequests', 'later'));
    expect(await later(0)).toMatchObject({ asked: 3, others: [] });
    expect(await later(2_000)).toMatchObject({ asked: 2, others: [] });
    store.failures.clear();
    expect(await later(2_000)).toMatchObject({ asked: 3, others: [{ pods: 1 }] });
  });

  test('is not asked again and again for what the user may not read', async () => {
    const { store, later } = watching();
    store.failures.set(REGISTRATIONS, apiError(403, 'Forbidden', 'no'));
    expect(await later(0)).toMatchObject({ asked: 3, others: [], pods: [{ injected: false }] });
    expect(await later(2_000)).toMatchObject({ asked: 0 });
  });

  test('takes no look at the API server’s Service', async () => {
    const { store, later } = watching();
    expect((await later(0)).installation.settings).toMatchObject({ mode: 'enforce' });
    expect(store.calls.filter((call) => call.includes('/services/'))).toEqual([]);
  });
});

describe('as a process', () => {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer(({ url = '' }, response) => {
    requests += 1;
    response.writeHead(url.includes('/pods') ? 200 : 404).end('{}');
  }).on('connection', (socket) => sockets.add(socket));
  let folder: string;
  let child: ChildProcess;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    folder = mkdtempSync(join(tmpdir(), 'watch-'));
    const { port } = server.address() as AddressInfo;
    const config = kubeconfig({ server: `http://127.0.0.1:${port}` }, { token: 't' });
    writeFileSync(join(folder, 'config'), config);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    sockets.clear();
    requests = 0;
    const args = ['runtime/cli/main.ts', 'status', '-n', 'shop', '--watch', '--kubeconfig', join(folder, 'config')];
    child = spawn(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  });
  afterEach(() => child.kill('SIGKILL'));

  /** Resolves when the output has this many times. */
  const shown = (times: number) =>
    new Promise<void>((resolve) => {
      let text = '';
      child.stdout?.on('data', (more) => {
        text += more;
        if (text.split('Autocert in namespace step').length > times) resolve();
      });
    });

  test.each(['SIGINT', 'SIGHUP'] as const)(
    'it uses one connection, and ends by %s with 0',
    async (signal) => {
      const exit = once(child, 'exit');
      await shown(2);
      child.kill(signal);
      expect((await exit)[0]).toBe(0);
      expect([sockets.size, requests > 10]).toEqual([1, true]);
    },
    30_000,
  );

  test('it ends when nobody reads it any more', async () => {
    const exit = once(child, 'exit');
    await shown(1);
    child.stdout?.destroy();
    expect((await exit)[0]).toBe(0);
  }, 30_000);

  test('it ends at once while it waits for an answer', async () => {
    server.removeAllListeners('request');
    const waits = once(server, 'request');
    const exit = once(child, 'exit');
    await waits;
    child.kill('SIGINT');
    expect((await exit)[0]).toBe(0);
  }, 30_000);
});
