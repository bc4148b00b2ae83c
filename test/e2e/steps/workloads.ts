/**
 * Steps 7.x and 8.x: every annotation and every kind of workload, by every delivery that the cluster has; what is
 * refused; what is left alone. All pods are deployed at once, then looked at.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR, ContainerName, STATUS_INJECTED } from '../../../runtime/contract.ts';
import { isReady } from '../../../scripts/cluster/kubectl.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { CASES, type Case, CaseNamespace, nameOf, namespacesOfCases, objectsOf } from '../cases.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';

/** A namespace without the label. */
export const UNLABELLED_NAMESPACE = 'e2e-unlabelled';

/** Steps 7.x and 8.x. */
export function workloadSteps(context: Context): Step[] {
  const { kubectl, native } = context;
  const deliveries = native === false ? ['auto'] : ['auto', 'sidecar'];
  const rows = deliveries.flatMap((delivery) => CASES.map((one) => ({ one, delivery })));
  const annotatedAs = (namespace: string, annotations: Readonly<Record<string, string>>) =>
    kubectl.try(['apply', '--dry-run=server', '-f', '-'], {
      input: JSON.stringify(testPod(namespace, 'refused', { annotations })),
    });

  const refusals: readonly (readonly [title: string, annotations: Record<string, string>, message: RegExp])[] = [
    ["another namespace's name", { [Annotation.name]: 'pay.default.svc' }, /"pay\.default\.svc".*e2e-work/s],
    [
      "another namespace's name among the sans",
      { [Annotation.name]: 'a.e2e-work.svc', [Annotation.sans]: 'a.e2e-work.svc,autocert.step.svc' },
      /sans.*"autocert\.step\.svc"/s,
    ],
    ['a lifetime that is none', { [Annotation.name]: 'a.e2e-work.svc', [Annotation.duration]: '5 parsecs' }, /parsecs/],
    ['a lifetime beyond the limit', { [Annotation.name]: 'a.e2e-work.svc', [Annotation.duration]: '9000h' }, /9000h/],
    ['a mode that is none', { [Annotation.name]: 'a.e2e-work.svc', [Annotation.mode]: '999' }, /999/],
    ['an owner that is none', { [Annotation.name]: 'a.e2e-work.svc', [Annotation.owner]: 'root' }, /root/],
  ];

  return [
    {
      id: '7.0',
      name: 'pods of every kind are applied, by every delivery that this cluster has',
      base: true,
      run: async () => {
        await kubectl.apply(namespacesOfCases());
        await kubectl.apply(rows.flatMap(({ one, delivery }) => objectsOf(one, delivery)));
      },
    },
    ...rows.map(
      ({ one, delivery }, index): Step => ({
        id: `7.${index + 1}`,
        name: `${one.title} (${delivery})`,
        run: () => examine(context, one, delivery),
      }),
    ),
    ...refusals.map(
      ([title, annotations, message], index): Step => ({
        id: `7.${rows.length + index + 1}`,
        name: `${title} is refused at admission, with the reason`,
        run: async () => {
          const { code, stderr } = await annotatedAs(CaseNamespace.plain, annotations);
          assert.notEqual(code, 0, 'the pod was admitted');
          assert.match(stderr, message);
        },
      }),
    ),
    {
      id: '8.1',
      name: 'a pod in a namespace without the label, and one without the annotation, are untouched',
      run: async () => {
        const metadata = { name: UNLABELLED_NAMESPACE };
        const annotations = { [Annotation.name]: `a.${UNLABELLED_NAMESPACE}.svc.cluster.local` };
        await kubectl.apply([
          { apiVersion: 'v1', kind: 'Namespace', metadata },
          testPod(UNLABELLED_NAMESPACE, 'untouched', { annotations }),
          testPod(CaseNamespace.plain, 'untouched'),
        ]);
        for (const namespace of [UNLABELLED_NAMESPACE, CaseNamespace.plain]) {
          const { spec, metadata } = await kubectl.ready(namespace, 'app=untouched');
          assert.deepEqual(spec.initContainers, undefined);
          assert.deepEqual(
            spec.containers.map(({ name }) => name),
            ['main'],
          );
          assert(
            !spec.containers.some(({ volumeMounts }) =>
              volumeMounts?.some(({ mountPath }) => mountPath === CERTIFICATE_DIR),
            ),
          );
          assert.equal(metadata.annotations?.[Annotation.status], undefined);
        }
      },
    },
  ];
}

/** Waits for the pod of a row and looks at what it has. */
async function examine({ kubectl, native }: Context, one: Case, delivery: string): Promise<void> {
  const { namespace = CaseNamespace.plain, kind, expected, check } = one;
  const { name, dns } = nameOf(one, delivery);
  const ends = kind === 'Job' || kind === 'CronJob';
  const pod = await kubectl.ready(namespace, `app=${name}`, ends ? { phase: 'Succeeded' } : {});
  assert.equal(pod.metadata.annotations?.[Annotation.status], STATUS_INJECTED);
  const sidecar = !native || delivery === 'sidecar';
  const injected = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].filter(({ name }) =>
    (Object.values(ContainerName) as string[]).includes(name),
  );
  assert.equal(injected.length, sidecar ? 1 : 0, 'injected containers');
  if (ends) {
    if (kind === 'CronJob') await kubectl.run(['-n', namespace, 'delete', 'cronjob', name, '--wait=false']);
    return;
  }
  assert(isReady(pod));
  assertCertificate(await readFiles(kubectl, namespace, pod.metadata.name, 'main'), { name: dns, ...expected });
  await check?.({ kubectl, pod, name, sidecar });
}
