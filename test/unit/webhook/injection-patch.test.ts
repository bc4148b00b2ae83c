import { applyPatch } from '../../../runtime/cli/json-patch.ts';
import type { CertificateSpec } from '../../../runtime/policy/certificate-spec.ts';
import { type AgentStyle, lacksClusterDns, sidecarPatch } from '../../../runtime/webhook/injection-patch.ts';
import type { Pod, PodSpec } from '../../../runtime/webhook/pod.ts';
import { type ConfigWithImage, sleepPod, webhookConfig } from '../../support/reviews.ts';

// biome-ignore lint/suspicious/noExplicitAny: what comes out is looked at as the JSON it is
type Json = any;

const asked: CertificateSpec = {
  commonName: 'sleep.default.svc',
  sans: ['sleep.default.svc'],
  initFirst: false,
  bootstrapperOnly: false,
  delivery: 'auto',
};

function inject(
  spec: Partial<CertificateSpec> = {},
  pod: Pod = sleepPod(),
  style: AgentStyle = 'native',
  config: ConfigWithImage = webhookConfig(),
): Json {
  const settings = { ...config, anchors: ['the root\n'], hostAliases: 'autocert.step.svc=10.0.0.1' };
  return applyPatch(pod, sidecarPatch(settings)(pod, { ...asked, ...spec }, style));
}
const withSpec = (spec: Partial<PodSpec>) => sleepPod({}, spec);
const envOf = (container: Json) => Object.fromEntries(container.env.map(({ name, value }: Json) => [name, value]));

describe('the native sidecar', () => {
  test('is one init container that stays, held by a hook that returns when the files are there', () => {
    const { spec } = inject();
    expect(spec.initContainers).toEqual([
      {
        name: 'autocert-renewer',
        image: 'autocert:0.1.0',
        imagePullPolicy: 'IfNotPresent',
        command: ['/usr/local/bin/autocert-agent', 'run'],
        restartPolicy: 'Always',
        lifecycle: { postStart: { exec: { command: ['/usr/local/bin/autocert-agent', 'wait'] } } },
        env: [
          { name: 'AUTOCERT_URL', value: webhookConfig().autocertUrl },
          { name: 'AUTOCERT_ROOTS', value: 'the root\n' },
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
        ],
        resources: webhookConfig().agent.resources,
        securityContext: {
          runAsUser: 65532,
          runAsGroup: 65532,
          runAsNonRoot: true,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
        terminationMessagePolicy: 'FallbackToLogsOnError',
        volumeMounts: [
          { name: 'autocert-certs', mountPath: '/var/run/autocert.step.sm' },
          { name: 'autocert-token', mountPath: '/var/run/secrets/autocert.step.sm', readOnly: true },
        ],
      },
    ]);
    expect(spec.containers).toHaveLength(1);
  });

  test('the key lives in memory, the token is for this audience and an hour, and only the agent has it', () => {
    const { spec } = inject();
    expect(spec.volumes).toEqual([
      { name: 'autocert-certs', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      {
        name: 'autocert-token',
        projected: {
          sources: [{ serviceAccountToken: { audience: 'autocert.step.sm', expirationSeconds: 3600, path: 'token' } }],
        },
      },
    ]);
    expect(JSON.stringify(spec.containers)).not.toContain('autocert-token');
  });

  test('the status annotation is written, beside those of the author', () => {
    expect(inject().metadata.annotations).toEqual({
      'autocert.step.sm/name': 'sleep.default.svc.cluster.local',
      'autocert.step.sm/status': 'injected',
    });
  });
});

describe('order', () => {
  const pod = withSpec({ initContainers: [{ name: 'first' }, { name: 'second' }] });
  const names = (spec: Partial<CertificateSpec>) => inject(spec, pod).spec.initContainers.map(({ name }: Json) => name);

  test("comes after the author's init containers", () => {
    expect(names({})).toEqual(['first', 'second', 'autocert-renewer']);
  });

  test('comes before them with init-first', () => {
    expect(names({ initFirst: true })).toEqual(['autocert-renewer', 'first', 'second']);
  });
});

describe('other shapes', () => {
  test('bootstrapper-only is an init container that ends, and nothing that renews', () => {
    for (const style of ['native', 'classic'] as const) {
      const { spec } = inject({ bootstrapperOnly: true }, sleepPod(), style);
      expect(spec.initContainers).toHaveLength(1);
      expect(spec.initContainers[0]).toMatchObject({
        name: 'autocert-bootstrapper',
        command: [expect.any(String), 'once'],
      });
      expect(spec.initContainers[0]).not.toHaveProperty('restartPolicy');
      expect(spec.containers).toHaveLength(1);
    }
  });

  test('classic is an init container that obtains and a container that renews, after those of the author', () => {
    const { spec } = inject({}, sleepPod(), 'classic');
    expect(spec.initContainers).toMatchObject([
      { name: 'autocert-bootstrapper', command: [expect.any(String), 'once'] },
    ]);
    expect(spec.containers).toMatchObject([
      { name: 'sleep' },
      { name: 'autocert-renewer', command: [expect.any(String), 'run'] },
    ]);
    expect(spec.containers[1]).not.toHaveProperty('restartPolicy');
    expect(spec.containers[1]).not.toHaveProperty('lifecycle');
  });
});

test('the pod gets the Secrets to pull the image by, besides its own, and none that it has already', () => {
  const { agent, ...rest } = webhookConfig();
  const config = { ...rest, agent: { ...agent, imagePullSecrets: ['registry', 'mirror'] } };
  const secretsOf = (spec: Partial<PodSpec>) => inject({}, withSpec(spec), 'native', config).spec.imagePullSecrets;
  expect(secretsOf({})).toEqual([{ name: 'registry' }, { name: 'mirror' }]);
  expect(secretsOf({ imagePullSecrets: null })).toEqual([{ name: 'registry' }, { name: 'mirror' }]);
  expect(secretsOf({ imagePullSecrets: [{ name: 'own' }, { name: 'mirror' }] })).toEqual([
    { name: 'own' },
    { name: 'mirror' },
    { name: 'registry' },
  ]);
  expect(inject().spec).not.toHaveProperty('imagePullSecrets');
});

describe('who the agent runs as', () => {
  test.each([
    ['nonroot', {}, {}, [65532, 65532, true]],
    ['the owner that the annotation names', { owner: { uid: 999, gid: 998 } }, { runAsUser: 1000 }, [999, 998, true]],
    ['root, only if the annotation names it', { owner: { uid: 0, gid: 0 } }, {}, [0, 0, false]],
    ["the pod's own user", {}, { runAsUser: 1000 }, [1000, 65532, true]],
    ["the pod's own user and group", {}, { runAsUser: 1000, runAsGroup: 2000 }, [1000, 2000, true]],
    ['never root because the pod is', {}, { runAsUser: 0, runAsGroup: 0 }, [65532, 65532, true]],
  ] as const)('%s', (_title, spec, securityContext, [user, group, nonRoot]) => {
    const [agent] = inject(spec, withSpec({ securityContext })).spec.initContainers;
    expect(agent.securityContext).toMatchObject({ runAsUser: user, runAsGroup: group, runAsNonRoot: nonRoot });
  });

  test.each([
    ['whom the platform chooses', {}, {}, undefined],
    ["the pod's own user", {}, { runAsUser: 1000 }, 1000],
    ['the owner that the annotation names', { owner: { uid: 999, gid: 998 } }, {}, 999],
    ['never root because the pod is', {}, { runAsUser: 0 }, 65532],
  ])('where the platform says who pods run as: %s', (_title, spec, securityContext, user) => {
    const { agent: usual, ...config } = webhookConfig();
    const agent = { ...usual, userFromPlatform: true };
    const pod = inject(spec, withSpec({ securityContext }), 'native', { ...config, agent });
    const [{ securityContext: given }] = pod.spec.initContainers;
    expect([given.runAsUser, given.runAsNonRoot]).toEqual([user, true]);
    if (user === undefined) expect(given).not.toHaveProperty('runAsGroup');
  });
});

describe('environment', () => {
  test('has the mode only if one is asked for, in octal', () => {
    expect(envOf(inject({ mode: 0o600 }).spec.initContainers[0])).toMatchObject({ MODE: '0600' });
    expect(envOf(inject().spec.initContainers[0])).not.toHaveProperty('MODE');
  });

  test.each([
    [{}, false],
    [{ dnsPolicy: 'ClusterFirst' }, false],
    [{ hostNetwork: true }, true],
    [{ hostNetwork: true, dnsPolicy: 'ClusterFirst' }, true],
    [{ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, false],
    [{ dnsPolicy: 'Default' }, true],
    [{ dnsPolicy: 'None' }, true],
  ])('has addresses of the Services where the pod has no cluster DNS: %j', (spec, lacks) => {
    expect(lacksClusterDns({ containers: [], ...spec })).toBe(lacks);
    const env = envOf(inject({}, withSpec(spec)).spec.initContainers[0]);
    expect(env.AUTOCERT_HOST_ALIASES).toBe(lacks ? 'autocert.step.svc=10.0.0.1' : undefined);
  });

  test('has every root by which to trust the certificate endpoint', () => {
    const settings = { ...webhookConfig(), anchors: ['A\n', 'B\n'], hostAliases: '' };
    const patched: Json = applyPatch(sleepPod(), sidecarPatch(settings)(sleepPod(), asked, 'native'));
    expect(envOf(patched.spec.initContainers[0]).AUTOCERT_ROOTS).toBe('A\nB\n');
  });
});
