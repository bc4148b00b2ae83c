/** `autocert dashboard`, run as its users run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type EmptyCluster, emptyCluster, USER_TOKEN } from '../../../support/empty-cluster.ts';

let cluster: EmptyCluster;
let child: ChildProcess;
let said = '';

beforeAll(async () => {
  cluster = await emptyCluster();
});
afterAll(() => cluster.stop());
afterEach(() => {
  child.kill('SIGKILL');
  cluster.refuses = false;
});

/** Starts it; `exit` is its code. */
function start(...args: readonly string[]): { readonly exit: Promise<number> } {
  const all = ['runtime/cli/main.ts', 'dashboard', '--kubeconfig', cluster.kubeconfig, ...args];
  child = spawn(process.execPath, all, {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (more) => {
      said += more;
    });
  }
  return { exit: once(child, 'close').then(([code]) => code as number) };
}

const printed = async (): Promise<string> => {
  while (!said.includes('\n')) await once(child.stdout as NodeJS.ReadableStream, 'data');
  return /http:\S+/.exec(said)?.[0] ?? '';
};

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'it says where the page is, answers there, and ends by %s with 0',
  async (signal) => {
    const { exit } = start('--port', '0');
    const url = await printed();
    const page = await (await fetch(url)).text();
    const answer = await fetch(`${url}status.json`);
    const text = await answer.text();
    expect([page.includes('<title>Autocert</title>'), answer.status, JSON.parse(text)]).toEqual([
      true,
      200,
      expect.objectContaining({ namespace: 'step', podsOf: 'shop', pods: [] }),
    ]);
    expect(page + text).not.toContain(USER_TOKEN);
    child.kill(signal);
    expect(await exit).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
  },
  60_000,
);

test.each([
  ['a cluster that does not let it list pods', [], true, 3, /FORBIDDEN|403|answered/i],
  ['what is no port', ['--port', '70000'], false, 2, /--port "70000": want a port, 0 to 65535/],
  ['both -n and -A', ['-A', '-n', 'shop'], false, 2, /either --namespace or --all-namespaces/],
  ['a namespace that cannot be', ['--autocert-namespace', 'A'], false, 2, /--autocert-namespace "A" cannot be/],
] as const)(
  'it ends at once for %s',
  async (_, args, refused, code, words) => {
    cluster.refuses = refused;
    const { exit } = start(...args);
    expect([await exit, said]).toEqual([code, expect.stringMatching(words)]);
  },
  60_000,
);
