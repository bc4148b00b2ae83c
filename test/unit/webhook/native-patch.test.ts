import { applyPatch } from '../../../runtime/cli/json-patch.ts';
import { SIGNER_NAME } from '../../../runtime/contract.ts';
import type { CertificateSpec } from '../../../runtime/policy/certificate-spec.ts';
import { nativeObstacle, nativePatch } from '../../../runtime/webhook/native-patch.ts';
import type { PodSpec } from '../../../runtime/webhook/pod.ts';
import { sleepPod } from '../../support/reviews.ts';

const HOUR = 3_600_000;
const asked: CertificateSpec = {
  commonName: 'sleep.default.svc',
  sans: ['sleep.default.svc'],
  initFirst: false,
  bootstrapperOnly: false,
  delivery: 'native',
};
const obstacle = (spec: Partial<CertificateSpec>, pod: Partial<PodSpec> = {}, duration = 24 * HOUR) =>
  nativeObstacle(sleepPod({}, pod), { ...asked, ...spec }, duration);

test('a volume, a mount in every container, the status annotation: no container', () => {
  const pod = sleepPod({}, { initContainers: [{ name: 'init' }] });
  const patched = applyPatch(pod, nativePatch(pod, asked, 24 * HOUR, SIGNER_NAME));
  const mount = { name: 'autocert-certs', mountPath: '/var/run/autocert.step.sm', readOnly: true };
  expect(patched).toEqual({
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, 'autocert.step.sm/status': 'injected' } },
    spec: {
      containers: [{ ...pod.spec.containers[0], volumeMounts: [mount] }],
      initContainers: [{ name: 'init', volumeMounts: [mount] }],
      volumes: [
        {
          name: 'autocert-certs',
          projected: {
            defaultMode: 0o644,
            sources: [
              {
                podCertificate: {
                  signerName: 'autocert.step.sm/workload',
                  keyType: 'ECDSAP256',
                  maxExpirationSeconds: 86_400,
                  keyPath: 'site.key',
                  certificateChainPath: 'site.crt',
                },
              },
              { clusterTrustBundle: { signerName: 'autocert.step.sm/workload', labelSelector: {}, path: 'root.crt' } },
            ],
          },
        },
      ],
    },
  });
});

test('mode and lifetime are those asked for, the lifetime in whole seconds', () => {
  const patched = applyPatch(sleepPod(), nativePatch(sleepPod(), { ...asked, mode: 0o440 }, HOUR + 1500, SIGNER_NAME));
  expect(patched.spec.volumes).toMatchObject([
    { projected: { defaultMode: 0o440, sources: [{ podCertificate: { maxExpirationSeconds: 3601 } }, {}] } },
  ]);
});

describe('lifetimes', () => {
  test.each([
    [HOUR - 1000, /a lifetime of 59m59s is not possible: the API takes 1h/],
    [92 * 24 * HOUR, /a lifetime of 2208h is not possible/],
  ])('%d ms is no lifetime of a pod certificate', (duration, reason) => {
    expect(obstacle({}, {}, duration)).toMatch(reason);
  });

  test.each([HOUR, 91 * 24 * HOUR])('%d ms is one', (duration) => {
    expect(obstacle({}, {}, duration)).toBeUndefined();
  });
});

describe('owners', () => {
  const owner = { uid: 999, gid: 998 };

  test.each<[string, Partial<PodSpec>]>([
    ["the pod's user", { securityContext: { runAsUser: 999 } }],
    ["every container's user", { containers: [{ name: 'a', securityContext: { runAsUser: 999 } }] }],
    ["the pod's fsGroup", { securityContext: { fsGroup: 998 } }],
  ])('%s can own the files', (_title, pod) => {
    expect(obstacle({ owner }, pod)).toBeUndefined();
  });

  test.each<[string, Partial<PodSpec>]>([
    ['nobody in particular', {}],
    ['another user', { securityContext: { runAsUser: 1000 } }],
    ['another group', { securityContext: { fsGroup: 1000 } }],
    ['only one of two containers', { containers: [{ name: 'a', securityContext: { runAsUser: 999 } }, { name: 'b' }] }],
    [
      'an init container that is another user',
      { securityContext: { runAsUser: 999 }, initContainers: [{ name: 'i', securityContext: { runAsUser: 0 } }] },
    ],
  ])('%s cannot', (_title, pod) => {
    expect(obstacle({ owner }, pod)).toMatch(
      /owner 999:998 is not possible: set securityContext\.runAsUser 999 for all containers or securityContext\.fsGroup 998/,
    );
  });
});

describe('modes', () => {
  test.each<[number, Partial<PodSpec>, boolean]>([
    [0o600, {}, true],
    [0o444, {}, true],
    [0o600, { securityContext: { runAsUser: 1000 } }, true],
    [0o640, { securityContext: { runAsUser: 1000 } }, false],
    [0o640, { securityContext: { fsGroup: 1000 } }, true],
    [0o600, { securityContext: { fsGroup: 1000 } }, false],
    [0o640, { securityContext: { runAsUser: 1000, fsGroup: 1000 } }, true],
  ])('%d with %j: %s', (mode, pod, possible) => {
    expect(obstacle({ mode }, pod) === undefined).toBe(possible);
  });

  test('the reason names what kubelet does instead', () => {
    expect(obstacle({ mode: 0o640 }, { securityContext: { runAsUser: 1000 } })).toBe(
      'mode 0640 is not possible: kubelet gives the files mode 0600 because of runAsUser',
    );
  });
});
