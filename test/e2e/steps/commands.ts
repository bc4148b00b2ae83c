/**
 * Steps 25.x: `autocert status`, `autocert explain` and `autocert dashboard`, beside what the cluster itself shows.
 * @module
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Dashboard } from '../../../runtime/cli/dashboard/model.ts';
import { Annotation } from '../../../runtime/contract.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { autocert, autocertInBackground, tryAutocert } from '../autocert.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';

const NAMESPACE = 'default';

interface Status {
  readonly installation: {
    readonly parts: readonly { readonly ready?: number; readonly wanted?: number }[];
    readonly roots: readonly { readonly fingerprint: string }[];
    readonly registrations: readonly { readonly object: string; readonly presence: string }[];
  };
  readonly pods: readonly { readonly namespace: string; readonly name: string; readonly delivery?: string }[];
}

interface Explained {
  readonly items: readonly {
    readonly outcome: string;
    readonly rule?: string;
    readonly reasons: readonly string[];
    readonly injection?: {
      readonly delivery: string;
      readonly names: readonly string[];
      readonly mounts: readonly string[];
    };
  }[];
}

/** All of them. */
export function commandSteps(context: Context): Step[] {
  const { inNetwork, kubectl, native } = context;
  const delivery = native ? 'native' : 'sidecar';
  return [
    {
      id: '25.1',
      name: 'autocert status shows all parts ready, the root, the registrations, and pods by their delivery',
      run: async () => {
        const { installation, pods } = await waitFor('all parts to be ready', async () => {
          const status = JSON.parse(await autocert(context, ['status', '-A', '-o', 'json'])) as Status;
          const { parts } = status.installation;
          return parts.length === 3 && parts.every(({ ready = 0, wanted }) => ready > 0 && ready === wanted) && status;
        });
        assert.match(installation.roots[0]?.fingerprint ?? '', /^[0-9a-f]{64}$/);
        const missing = installation.registrations.filter(({ presence }) => presence !== 'there');
        // The webhook injects here.
        assert.deepEqual(
          missing.map(({ object }) => object.split('/')[0]),
          ['mutatingadmissionpolicy'],
        );
        const shown = (prefix: string) =>
          pods.find(({ namespace, name }) => namespace === NAMESPACE && name.startsWith(prefix))?.delivery;
        assert.deepEqual([shown('sleep-sidecar-'), shown('hello-mtls-client-')], ['sidecar', delivery]);
        assert.match(
          await autocert(context, ['status', '-n', NAMESPACE]),
          new RegExp(`Autocert in namespace ${SYSTEM}`),
        );
      },
    },
    {
      id: '25.2',
      name: 'autocert explain says of a Deployment what its pods have, and shows the pod before and after',
      run: async () => {
        const of = ['explain', 'deployment/sleep', '-n', NAMESPACE];
        const { items } = JSON.parse(await autocert(context, [...of, '-o', 'json'])) as Explained;
        const { outcome, injection } = items[0] ?? {};
        assert.deepEqual([outcome, injection?.delivery, injection?.mounts], ['injected', delivery, ['sleep']]);
        assert.deepEqual(injection?.names, ['sleep.default.svc.cluster.local']);
        assert.match(await autocert(context, [...of, '--diff']), /^\+.*autocert-certs/m);
      },
    },
    {
      id: '25.3',
      name: 'what autocert explain says of a manifest that is refused is what the API server says, and the exit code is 1',
      run: async () => {
        const pod = testPod(NAMESPACE, 'thief', { annotations: { [Annotation.name]: 'pay.bank.svc' } });
        const input = JSON.stringify(pod);
        const { code, stdout } = await tryAutocert(context, ['explain', '-f', '-', '-o', 'json'], input);
        const { outcome, rule, reasons } = (JSON.parse(stdout) as Explained).items[0] ?? {};
        assert.deepEqual([code, outcome, rule], [1, 'refused', 'NotAllowed']);
        const { stderr } = await kubectl.try(['apply', '--dry-run=server', '-f', '-'], { input });
        assert(stderr.includes(reasons?.[0] ?? 'nothing'), `${stderr} and ${reasons}`);
      },
    },
    {
      id: '25.4',
      name: 'autocert dashboard shows a certified pod with its expiry, the chain down to what the webhook serves with, and ends with 0',
      run: async () => {
        const dashboard = autocertInBackground(context, ['dashboard', '-A', '--port', '0']);
        const exit = once(dashboard.child, 'exit');
        try {
          const url = await waitFor('the page to be there', async () => /http:\S+/.exec(dashboard.output())?.[0]);
          const program = `process.stdout.write(await (await fetch('${url}status.json')).text())`;
          const fetchIt = inNetwork([process.execPath, '--input-type=module', '-e', program]);
          const data = await waitFor('the webhook to tell of its certificate', async () => {
            const { tree, ...rest } = JSON.parse(await run(fetchIt)) as Dashboard;
            const serving = tree.some(({ children }) => children.some((each) => each.children.length > 0));
            return serving && rest.diagnosedAt !== undefined && rest;
          });
          const pod = data.pods.find(
            ({ namespace, name }) => namespace === NAMESPACE && name.startsWith('hello-mtls-client-'),
          );
          assert.equal(pod?.delivery, delivery);
          if (native) assert.deepEqual([pod?.state, Date.parse(pod?.notAfter ?? '') > Date.now()], ['good', true]);
        } finally {
          await dashboard.stop();
        }
        assert.deepEqual(await exit, [0, null]);
      },
    },
  ];
}
