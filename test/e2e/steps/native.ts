/**
 * Steps 12.x: native delivery. Both injectors against one table of pods, a cluster that has no webhook at all, storms of
 * pods, and a renewal in a pod that goes on running. (What else native delivery does is in the tutorial's own steps,
 * where it is the default.)
 * @module
 */
import assert from 'node:assert/strict';
import { App, Chart, Yaml } from 'cdk8s';
import { AutocertWebhook, Injector, StepCa } from '../../../constructs/index.ts';
import { Annotation } from '../../../runtime/contract.ts';
import { install } from '../../../scripts/cluster/installation.ts';
import type { KubernetesObject, Pod } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, podTemplate, testPod } from '../../../scripts/cluster/workloads.ts';
import { assertCertificate, type CertificateFiles, readFiles, renewedFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { caBundle, manifestsOf } from '../installed.ts';
import { podTable, type Row } from '../pod-table.ts';
import { stormSteps } from './storms.ts';

/** Namespace of these steps. */
export const NATIVE_NAMESPACE = 'e2e-native';

const NAMESPACE = NATIVE_NAMESPACE;
const LASTING = 'lasting';
const SLOWLY = { timeoutMs: 4 * 60_000, everyMs: 1000 };
const AT_ONCE = 8;

/** A pod as one injector made it, or its refusal. */
type Outcome = { readonly pod: string } | { readonly refusal: string };

/** Steps 12.x; on clusters without pod certificates only the first. */
export function nativeSteps(context: Context): Step[] {
  const { kubectl, native, restartKubelet } = context;
  const steps: Step[] = [
    {
      id: '12.1',
      name: 'a wrong name is refused at kubectl apply of what makes pods, not only of pods',
      base: true, // makes the namespace
      run: async () => {
        await kubectl.apply([enabledNamespace(NAMESPACE)]);
        for (const workload of workloadsNamed('pay.bank.svc')) {
          const input = JSON.stringify(workload);
          const { code, stderr } = await kubectl.try(['apply', '--dry-run=server', '-f', '-'], { input });
          assert.notEqual(code, 0, `a ${workload.kind} was admitted`);
          assert.match(stderr, /ValidatingAdmissionPolicy 'autocert'.*"pay\.bank\.svc" is not allowed/s);
        }
        await kubectl.apply(workloadsNamed(`cart.${NAMESPACE}.svc`), ['--dry-run=server']);
      },
    },
  ];
  if (!native) return steps;
  const table = podTable(NAMESPACE);
  let byWebhook: readonly Outcome[] = [];
  let before: CertificateFiles | undefined;
  const lastingFiles = () => readFiles(kubectl, NAMESPACE, LASTING, 'main');
  steps.push(
    {
      id: '12.2',
      name: 'the webhook admits and refuses what a table of pods says',
      run: async () => {
        byWebhook = await outcomes(context, table);
        assertAsTable(table, byWebhook);
      },
    },
    {
      id: '12.3',
      name: 'without any webhook the policy makes the same pods of the table, byte for byte, and refuses the same',
      run: async () => {
        await kubectl.run(['delete', 'mutatingwebhookconfiguration', 'autocert']);
        await kubectl.apply(policies());
        try {
          const plain = JSON.stringify(testPod(NAMESPACE, 'probe', annotated('probe')));
          await waitFor('the policy to work', async () => {
            const made = await kubectl.run(['create', '--dry-run=server', '-o', 'json', '-f', '-'], { input: plain });
            return (JSON.parse(made) as KubernetesObject).metadata.annotations?.[Annotation.status] !== undefined;
          });
          const byPolicy = await outcomes(context, table);
          assertAsTable(table, byPolicy);
          table.forEach(({ title, refused }, index) => {
            if (!refused) assert.deepEqual(byPolicy[index], byWebhook[index], title);
          });
          await kubectl.apply([testPod(NAMESPACE, LASTING, annotated(LASTING))]);
          await kubectl.ready(NAMESPACE, `app=${LASTING}`);
        } finally {
          await restoreWebhook(context);
        }
        const [pod] = await kubectl.pods(NAMESPACE, `app=${LASTING}`);
        assert.deepEqual(
          pod?.spec.containers.map(({ name }) => name),
          ['main'],
          'no injected container',
        );
        before = await lastingFiles();
        assertCertificate(before, { name: nameOf(LASTING) });
      },
    },
    ...stormSteps(context, NAMESPACE),
  );
  if (restartKubelet !== undefined) {
    steps.push({
      id: '12.6',
      name: 'kubelet, which asks anew when it starts, renews in a running pod: new serial, new key, the same names',
      run: async () => {
        await restartKubelet();
        assertCertificate(await renewedFiles(LASTING, before, lastingFiles, SLOWLY), { name: nameOf(LASTING) });
        assert.equal(await kubectl.restarts(NAMESPACE, `app=${LASTING}`), 0, 'the container was not restarted');
      },
    });
  }
  return steps;
}

function nameOf(pod: string): string {
  return `${pod}.${NAMESPACE}.svc.cluster.local`;
}

function annotated(pod: string) {
  return { annotations: { [Annotation.name]: nameOf(pod), [Annotation.delivery]: 'native' } };
}

/** One object of each kind that makes pods. */
function workloadsNamed(name: string) {
  const pod = podTemplate('made', { annotations: { [Annotation.name]: name } });
  const metadata = { name: 'made', namespace: NAMESPACE };
  const selector = { matchLabels: { app: 'made' } };
  const once = { ...pod, spec: { ...pod.spec, restartPolicy: 'Never' } };
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector, template: pod } },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { selector, serviceName: 'made', template: pod } },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: { selector, template: pod } },
    { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template: once } },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata,
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: once } } },
    },
  ];
}

/** What becomes of each row at admission; nothing is created. */
async function outcomes({ kubectl }: Context, table: readonly Row[]): Promise<Outcome[]> {
  const found: Outcome[] = [];
  for (let start = 0; start < table.length; start += AT_ONCE) {
    const some = table.slice(start, start + AT_ONCE).map(async ({ pod }): Promise<Outcome> => {
      const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
      const { code, stdout, stderr } = await kubectl.try(args, { input: JSON.stringify(pod) });
      return code === 0 ? { pod: comparable(JSON.parse(stdout) as Pod) } : { refusal: stderr };
    });
    found.push(...(await Promise.all(some)));
  }
  return found;
}

/** Spec and annotations as text; the name of the service account's volume is drawn anew each time. */
function comparable({ spec, metadata: { annotations } }: Pod): string {
  return JSON.stringify({ spec, annotations }).replaceAll(/kube-api-access-\w{5}/g, 'kube-api-access');
}

function assertAsTable(table: readonly Row[], found: readonly Outcome[]): void {
  table.forEach(({ title, refused }, index) => {
    const outcome = found[index] ?? { refusal: 'nothing' };
    const isRefused = 'refusal' in outcome;
    assert.equal(isRefused, refused, `${title}: ${isRefused ? outcome.refusal : 'admitted'}`);
    // In words that were written for the author, not in those of an expression that failed.
    if (isRefused) assert.doesNotMatch(outcome.refusal, /expression '|no such key|cost limit/, title);
  });
}

/** The two policies of `Injector.policy()`, and nothing else of it. */
function policies(): string {
  const chart = new Chart(new App(), 'policies');
  new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: Injector.policy() });
  const objects = chart.toJson().filter(({ kind }: { kind: string }) => kind.includes('AdmissionPolicy'));
  return Yaml.stringify(...objects);
}

/** Applies the manifests again, over the policies; the signer fills the webhook's `caBundle` in. */
async function restoreWebhook(context: Context): Promise<void> {
  const { kubectl } = context;
  await kubectl.run(['delete', 'mutatingadmissionpolicy,mutatingadmissionpolicybinding', 'autocert']);
  await install(kubectl, manifestsOf(context));
  await caBundle(kubectl);
}
