/**
 * Steps 16.x: a right ends when it ends, and nothing momentary is final, with both deliveries: a namespace loses its
 * label and gets it back, the policy changes under running pods, certificates are replaced on request, step-ca renews
 * nothing by itself. What takes its time is begun early.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR, ContainerName, NAMESPACE_LABEL } from '../../../runtime/contract.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, testPod } from '../../../scripts/cluster/workloads.ts';
import { allowNames } from '../allowed-names.ts';
import { autocert } from '../autocert.ts';
import { assertCertificate, type CertificateFiles, readFiles, renewedFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { manifestsOf } from '../installed.ts';
import { whileAllowed } from '../network-parties.ts';

/** Namespaces of these steps. */
export const RIGHTS_NAMESPACES = { rights: 'e2e-rights', replaced: 'e2e-replaced' } as const;

const { rights: NAMESPACE, replaced: REPLACED } = RIGHTS_NAMESPACES;
const LABEL = `${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`;
/** Renewed at half of it at the earliest. */
const SHORT = '5m';
const ALLOWED = 'rights.example.com';
/** Longer than a common name may be. */
const LONG_NAME = `a-rather-long-service-name-of-the-tests.${NAMESPACE}.svc.cluster.local`;
const SLOWLY = { timeoutMs: 4 * 60_000, everyMs: 1000 };
const WITHIN_TEN_MINUTES = { timeoutMs: 10 * 60_000, everyMs: 2000 };

const nameOf = (pod: string, namespace: string = NAMESPACE) => `${pod}.${namespace}.svc.cluster.local`;

/**
 * Has the agent of a pod (or `deployment/name`) look for something to do, as it would within minutes by itself. Fails where
 * it is at work.
 */
export async function tryToWakeAgent(
  { kubectl }: Pick<Context, 'kubectl'>,
  namespace: string,
  pod: string,
): Promise<void> {
  const wake = ['/bin/sh', '-c', 'kill $(/bin/busybox pidof sleep)'];
  await kubectl.exec(namespace, pod, ContainerName.renewer, wake);
}

/** The same, as soon as it sleeps: what it is at may have begun before what it is to find. */
export async function wakeAgent(on: Pick<Context, 'kubectl'>, namespace: string, pod: string): Promise<void> {
  await waitFor(`the agent of ${pod} to sleep`, async () => {
    await tryToWakeAgent(on, namespace, pod);
    return true;
  });
}

/** What is begun early, what looks before the root is replaced, and what looks at the end. */
export function rightsSteps(context: Context): {
  readonly begin: Step[];
  readonly follow: Step[];
  readonly look: Step[];
} {
  const { kubectl, native, long, restartKubelet } = context;
  const deliveries = native ? (['sidecar', 'native'] as const) : (['sidecar'] as const);
  type Delivery = (typeof deliveries)[number];
  const before = new Map<string, CertificateFiles>();
  const filesOf = (pod: string, namespace: string = NAMESPACE) => readFiles(kubectl, namespace, pod, 'main');
  const podOf = (delivery: Delivery, prefix: string, namespace: string, annotations: Record<string, string> = {}) => {
    const pod = `${prefix}-${delivery}`;
    const all = { [Annotation.name]: nameOf(pod, namespace), [Annotation.delivery]: delivery, ...annotations };
    return testPod(namespace, pod, { annotations: all });
  };
  const eventsOf = async (pod: string, namespace: string = NAMESPACE): Promise<string> => {
    const query = ['get', 'events', '--field-selector', `involvedObject.name=${pod}`, '-o', 'json'];
    return kubectl.run(['-n', namespace, ...query]);
  };
  const label = (change: string) => kubectl.run(['label', 'namespace', NAMESPACE, change]);
  const isUnlabelled = /is not labelled autocert\.step\.sm=enabled/;

  const begin: Step[] = [
    {
      id: '16.1',
      name: 'pods of a namespace have certificates; then the namespace loses its label',
      run: async () => {
        await kubectl.apply([enabledNamespace(NAMESPACE), enabledNamespace(REPLACED)]);
        const duration = { [Annotation.duration]: SHORT };
        await kubectl.apply([
          ...deliveries.map((each) => podOf(each, 'right', NAMESPACE, each === 'sidecar' ? duration : {})),
          ...deliveries.map((each) => podOf(each, 'long', NAMESPACE, { [Annotation.name]: LONG_NAME })),
          podOf('sidecar', 'replaced', REPLACED),
        ]);
        for (const each of deliveries) await kubectl.ready(NAMESPACE, `app=right-${each}`);
        for (const each of deliveries) before.set(each, await filesOf(`right-${each}`));
        await kubectl.ready(REPLACED, 'app=replaced-sidecar');
        before.set('replaced', await filesOf('replaced-sidecar', REPLACED));
      },
    },
    ...deliveries.map(
      (each, index): Step => ({
        id: `16.${2 + index}`,
        name: `a name of ${LONG_NAME.length} characters is in the SAN alone (${each})`,
        run: async () => {
          await kubectl.ready(NAMESPACE, `app=long-${each}`);
          const files = await filesOf(`long-${each}`);
          assert.equal(files.leaf.subject ?? '', '');
          assert.equal(files.leaf.subjectAltName, `DNS:${LONG_NAME}`);
        },
      }),
    ),
    {
      id: '16.4',
      name: 'the label goes; autocert renew --namespace asks for new certificates elsewhere; the policy allows a new name',
      run: async () => {
        await label(`${NAMESPACE_LABEL.key}-`);
        const said = await autocert(context, ['renew', '--namespace', REPLACED]);
        assert.match(said, /within ten minutes/);
        await allowNames(kubectl, REPLACED, ALLOWED);
      },
    },
    {
      id: '16.5',
      name: "with a pod's own certificate, and let through to it, step-ca renews nothing: /renew and /rekey answer 401",
      run: async () => {
        const own = `--cacert root.crt --cert site.crt --key site.key`;
        const ask = async (pod: string, path: string) => {
          const curl = `curl -s -o /tmp/answer -w '%{http_code}' ${own} -X POST -d '{}' https://ca.${SYSTEM}.svc/1.0/${path}`;
          const command = ['/bin/sh', '-c', `cd ${CERTIFICATE_DIR}; ${curl}; echo; cat /tmp/answer`];
          const answer = () => kubectl.exec(NAMESPACE, pod, 'main', command); // fails while the network refuses it
          return waitFor(`the CA to answer ${pod}`, answer);
        };
        const peer = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACE } } };
        await whileAllowed(kubectl, [peer], async () => {
          for (const each of deliveries) {
            for (const path of ['renew', 'rekey']) {
              const answer = await ask(`right-${each}`, path);
              assert.match(answer, path === 'renew' ? /^401/ : /^40[01]/, answer);
            }
          }
        });
      },
    },
  ];

  const follow: Step[] = [
    {
      id: '16.6',
      name: 'webhook and signer have followed their configuration without a restart: pods get the name that is allowed now',
      run: async () => {
        const namespace = RIGHTS_NAMESPACES.replaced;
        for (const each of deliveries) {
          const pod = podOf(each, 'allowed', namespace, {
            [Annotation.name]: `${each}.${ALLOWED}`,
            ...(each === 'sidecar' && { [Annotation.duration]: SHORT }),
          });
          await waitFor(
            'the name to be allowed',
            async () => (await kubectl.try(['apply', '-f', '-'], { input: JSON.stringify(pod) })).code === 0,
            SLOWLY,
          );
          await kubectl.ready(namespace, `app=allowed-${each}`, SLOWLY);
          const expected = { name: `${each}.${ALLOWED}`, ...(each === 'sidecar' && { hours: 5 / 60 }) };
          assertCertificate(await filesOf(`allowed-${each}`, namespace), expected);
        }
        assert.equal(await kubectl.restarts(SYSTEM, 'app in (autocert, autocert-signer)'), 0);
      },
    },
  ];

  const look: Step[] = [
    {
      id: '16.7',
      name: 'without the label no certificate is renewed: log and event say why, the files stay (sidecar)',
      run: async () => {
        await waitFor('the refusal', async () => isUnlabelled.test(await eventsOf('right-sidecar')), SLOWLY);
        const log = await kubectl.run(['-n', NAMESPACE, 'logs', 'right-sidecar', '-c', ContainerName.renewer]);
        assert.match(log, isUnlabelled);
        const files = await filesOf('right-sidecar');
        assert.equal(files.leaf.serialNumber, before.get('sidecar')?.leaf.serialNumber, 'the last certificate');
      },
    },
    ...(native && restartKubelet
      ? [
          {
            id: '16.8',
            name: 'without the label no certificate is renewed: an event says why, and no request is denied (native)',
            run: async () => {
              await restartKubelet(); // it asks anew for each pod when it starts
              await waitFor('the refusal', async () => isUnlabelled.test(await eventsOf('right-native')), SLOWLY);
              const requests = await kubectl.run(['-n', NAMESPACE, 'get', 'podcertificaterequests', '-o', 'json']);
              assert.doesNotMatch(requests, /"type": "(Denied|Failed)"/);
              const files = await waitFor('kubelet to know the pod', () => filesOf('right-native'), SLOWLY);
              assert.equal(files.leaf.serialNumber, before.get('native')?.leaf.serialNumber, 'the last certificate');
            },
          },
        ]
      : []),
    {
      id: '16.9',
      name: 'with the label back both have new certificates, and no container was restarted',
      run: async () => {
        await label(LABEL);
        const waiting = native && restartKubelet ? deliveries : (['sidecar'] as const);
        for (const each of waiting) {
          const pod = `right-${each}`;
          if (each === 'sidecar') await wakeAgent(context, NAMESPACE, pod);
          await renewedFiles(pod, before.get(each), () => filesOf(pod), SLOWLY);
          assert.equal(await kubectl.restarts(NAMESPACE, `app=${pod}`), 0, `${pod} was not restarted`);
        }
      },
    },
    {
      id: '16.10',
      name: 'what autocert renew asked for has been done: a certificate of 24 hours was replaced after minutes',
      run: async () => {
        const read = () => filesOf('replaced-sidecar', REPLACED);
        const current = await read();
        const isOld = current.leaf.serialNumber === before.get('replaced')?.leaf.serialNumber;
        if (isOld && !long) await wakeAgent(context, REPLACED, 'replaced-sidecar');
        await renewedFiles('replaced-sidecar', before.get('replaced'), read, long ? WITHIN_TEN_MINUTES : SLOWLY);
        assert.equal(await kubectl.restarts(REPLACED, 'app=replaced-sidecar'), 0);
      },
    },
    {
      id: '16.11',
      name: 'a name that the policy allows no more is not renewed, and an event says why',
      run: async () => {
        await kubectl.run(['apply', '-f', manifestsOf(context)]); // which do not have the name
        for (const each of native && restartKubelet ? deliveries : (['sidecar'] as const)) {
          const isRefused = async () => {
            const events = await eventsOf(`allowed-${each}`, REPLACED);
            return /is not a name that pods of namespace/.test(events);
          };
          const isRefusedAtLast = async () => {
            if (await isRefused()) return true;
            // An agent asks again soon; kubelet when it starts, and the signer may just not have read its configuration.
            if (each === 'native') await restartKubelet?.();
            return false;
          };
          await waitFor(`the refusal of allowed-${each}`, isRefusedAtLast, { ...SLOWLY, everyMs: 10_000 });
        }
      },
    },
  ];
  return { begin, follow, look };
}
