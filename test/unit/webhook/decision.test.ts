import { type DecisionConfig, decide } from '../../../runtime/webhook/decision.ts';
import type { Pod } from '../../../runtime/webhook/pod.ts';
import { sleepPod, webhookConfig } from '../../support/reviews.ts';

const NEW = { podCertificates: true, nativeSidecars: true };
const MIDDLE = { podCertificates: false, nativeSidecars: true };
const OLD = { podCertificates: false, nativeSidecars: false };

const decision = (pod: Pod, cluster = MIDDLE, overrides: Partial<DecisionConfig> = {}) =>
  decide(pod, 'default', webhookConfig(overrides), cluster);
const message = (pod: Pod, cluster = MIDDLE, overrides: Partial<DecisionConfig> = {}) => {
  const result = decision(pod, cluster, overrides);
  return result.kind === 'deny' ? result.message : `not denied: ${result.kind}`;
};

describe('pods that are left alone', () => {
  test('without the name annotation', () => {
    expect(decision({ metadata: {}, spec: { containers: [] } })).toMatchObject({
      kind: 'skip',
      reason: expect.stringContaining('no annotation autocert.step.sm/name'),
    });
  });

  test('injected already', () => {
    expect(decision(sleepPod({ status: 'injected' }))).toMatchObject({
      kind: 'skip',
      reason: 'it is injected already',
    });
  });

  test('in an excluded namespace, whatever they ask for', () => {
    const excludedNamespaces = ['kube-system', 'default'];
    expect(decision(sleepPod(), MIDDLE, { excludedNamespaces })).toEqual({
      kind: 'skip',
      rule: 'NamespaceExcluded',
      reason: 'its namespace is excluded',
    });
    expect(decision(sleepPod({ name: 'a.b.c' }), NEW, { excludedNamespaces })).toMatchObject({ kind: 'skip' });
  });

  test('any other status does not keep a pod from being injected', () => {
    expect(decision(sleepPod({ status: 'please' }))).toMatchObject({ kind: 'inject' });
  });
});

describe('refusals', () => {
  test('a name of another namespace is 403, and says which', () => {
    expect(decision(sleepPod({ name: 'web.shop.svc' }))).toMatchObject({
      kind: 'deny',
      code: 403,
      message: expect.stringMatching(
        /^autocert\.step\.sm\/name: "web\.shop\.svc" is not a name that pods of namespace "default"/,
      ),
    });
  });

  test('the namespace is that of the request, whatever the pod says', () => {
    const pod = { ...sleepPod(), metadata: { ...sleepPod().metadata, namespace: 'shop' } };
    expect(decision(pod)).toMatchObject({ kind: 'inject' });
  });

  test.each<[string, Parameters<typeof sleepPod>[1], RegExp]>([
    ['a volume of our name', { volumes: [{ name: 'autocert-certs' }] }, /volume "autocert-certs" is Autocert's/],
    [
      'a container of our name',
      { containers: [{ name: 'autocert-renewer' }] },
      /container "autocert-renewer" is Autocert's/,
    ],
    [
      'an init container of our name',
      { initContainers: [{ name: 'autocert-bootstrapper' }] },
      /"autocert-bootstrapper"/,
    ],
    ...['/var/run/autocert.step.sm', '/var/run/autocert.step.sm/', '/var/run//x/../autocert.step.sm/site.crt'].map(
      (mountPath): [string, Parameters<typeof sleepPod>[1], RegExp] => [
        `a mount at ${mountPath}`,
        { containers: [{ name: 'app', volumeMounts: [{ name: 'mine', mountPath }] }] },
        /container "app" mounts .* where Autocert mounts its files: mount yours elsewhere/,
      ],
    ),
    [
      'a mount of our volume',
      { containers: [{ name: 'app', volumeMounts: [{ name: 'autocert-certs', mountPath: '/x' }] }] },
      /remove that mount, Autocert adds it/,
    ],
  ])('%s is in the way', (_title, spec, reason) => {
    expect(decision(sleepPod({}, spec))).toMatchObject({ kind: 'deny', code: 422 });
    expect(message(sleepPod({}, spec))).toMatch(reason);
  });

  test('a mount above the folder, or beside it, is not', () => {
    const volumeMounts = ['/var/run', '/var/run/autocert.step.smile'].map((mountPath) => ({ name: 'mine', mountPath }));
    expect(decision(sleepPod({}, { containers: [{ name: 'app', volumeMounts }] }))).toMatchObject({ kind: 'inject' });
  });
});

test('a name too long for a common name is admitted, in both deliveries', () => {
  const name = `${'a'.repeat(60)}.default.svc`;
  for (const cluster of [NEW, MIDDLE]) {
    const result = decision(sleepPod({ name }), cluster);
    expect(result).toMatchObject({ kind: 'inject', plan: { spec: { sans: [name] } } });
    expect(result).not.toHaveProperty('plan.spec.commonName');
  }
});

describe('delivery', () => {
  const plan = (...args: Parameters<typeof decision>) => {
    const result = decision(...args);
    return result.kind === 'inject' ? result.plan : result;
  };

  test('auto is native where the cluster has pod certificates, else the sidecar', () => {
    expect(plan(sleepPod(), NEW)).toMatchObject({ delivery: 'native', duration: 86_400_000 });
    expect(plan(sleepPod(), MIDDLE)).toMatchObject({ delivery: 'sidecar', style: 'native' });
    expect(plan(sleepPod(), OLD)).toMatchObject({ delivery: 'sidecar', style: 'classic' });
  });

  test('auto falls back to the sidecar for what native delivery cannot do', () => {
    expect(plan(sleepPod({ duration: '30m' }), NEW)).toMatchObject({ delivery: 'sidecar' });
    expect(plan(sleepPod({ owner: '999:999' }), NEW)).toMatchObject({ delivery: 'sidecar' });
    expect(plan(sleepPod(), NEW, { defaultDuration: '30m' })).toMatchObject({ delivery: 'sidecar' });
  });

  test('init-first and bootstrapper-only are no reason against native delivery', () => {
    expect(plan(sleepPod({ initFirst: 'true', bootstrapperOnly: 'true' }), NEW)).toMatchObject({ delivery: 'native' });
  });

  test('the annotation goes before the configuration, and its auto means the configuration', () => {
    expect(plan(sleepPod({ delivery: 'sidecar' }), NEW, { delivery: 'native' })).toMatchObject({ delivery: 'sidecar' });
    expect(plan(sleepPod({ delivery: 'native' }), NEW, { delivery: 'sidecar' })).toMatchObject({ delivery: 'native' });
    expect(plan(sleepPod({ delivery: 'auto' }), NEW, { delivery: 'sidecar' })).toMatchObject({ delivery: 'sidecar' });
  });

  test('native where it is not possible is refused with the reason', () => {
    expect(message(sleepPod({ delivery: 'native' }), MIDDLE)).toBe(
      'native delivery: this cluster has no pod certificates (certificates.k8s.io/v1, Kubernetes 1.37 and later); ' +
        'or let an agent deliver: autocert.step.sm/delivery: sidecar',
    );
    expect(message(sleepPod({ delivery: 'native', duration: '30m' }), NEW)).toMatch(
      /a lifetime of 30m is not possible/,
    );
    expect(message(sleepPod({ delivery: 'native', owner: '1:1' }), NEW)).toMatch(/owner 1:1 is not possible/);
  });

  test('without a signer no pod gets native delivery, whatever cluster and configuration say, and one that asks for it is refused', () => {
    const without = { signer: false, delivery: 'auto' } as const;
    expect(plan(sleepPod(), NEW, without)).toMatchObject({ delivery: 'sidecar' });
    expect(plan(sleepPod({ delivery: 'auto' }), NEW, without)).toMatchObject({ delivery: 'sidecar' });
    expect(message(sleepPod({ delivery: 'native' }), NEW, without)).toBe(
      'native delivery: Autocert runs without its signer here (signer of AutocertWebhook is false); ' +
        'or let an agent deliver: autocert.step.sm/delivery: sidecar',
    );
  });

  test('the sidecar style can be fixed by configuration', () => {
    expect(plan(sleepPod(), MIDDLE, { sidecar: 'classic' })).toMatchObject({ style: 'classic' });
    expect(message(sleepPod(), OLD, { sidecar: 'native' })).toMatch(/has no native sidecars/);
  });
});
