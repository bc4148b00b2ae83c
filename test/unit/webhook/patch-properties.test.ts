import fc from 'fast-check';
import { applyPatch } from '../../../runtime/cli/json-patch.ts';
import { CERTIFICATE_DIR } from '../../../runtime/contract.ts';
import { admit } from '../../../runtime/webhook/admission.ts';
import type { Capabilities } from '../../../runtime/webhook/capabilities.ts';
import { sidecarPatch } from '../../../runtime/webhook/injection-patch.ts';
import { podProblem } from '../../../runtime/webhook/pod.ts';
import { annotations } from '../../support/pods.ts';
import { reviewOf, webhookConfig } from '../../support/reviews.ts';

// biome-ignore lint/suspicious/noExplicitAny: what comes out is looked at as the JSON it is
type Json = any;

const maybeList = (list: fc.Arbitrary<unknown[]>) => fc.oneof(fc.constant(undefined), fc.constant(null), list);
const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const id = fc.option(fc.integer({ min: 0, max: 70_000 }), { nil: undefined });
const mount = fc.record({
  name: label.map((name) => `v-${name}`),
  mountPath: label.map((name) => `/${name}`),
});
const container = fc.record(
  {
    name: label.map((name) => `c-${name}`),
    image: fc.string(),
    volumeMounts: maybeList(fc.array(mount, { maxLength: 3 })),
    securityContext: fc.record({ runAsUser: id }),
  },
  { requiredKeys: ['name'] },
);
const containers = (minLength: number) =>
  fc.uniqueArray(container, { minLength, maxLength: 4, selector: ({ name }) => name });
const volumes = fc.uniqueArray(fc.record({ name: label.map((name) => `v-${name}`), hostPath: fc.object() }), {
  maxLength: 3,
  selector: ({ name }) => name,
});
const wishes = fc.record(
  {
    duration: fc.constantFrom('5m', '1h', '24h'),
    owner: fc.constantFrom('0:0', '999:998'),
    mode: fc.constantFrom('0600', '0444'),
    initFirst: fc.constantFrom('true', 'false'),
    bootstrapperOnly: fc.constantFrom('true', 'false'),
    delivery: fc.constantFrom('auto', 'sidecar'),
  },
  { requiredKeys: [] },
);
const pods = fc
  .record({
    wishes,
    others: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
    spec: fc.record(
      {
        containers: containers(1),
        initContainers: maybeList(containers(0)),
        volumes: maybeList(volumes),
        hostNetwork: fc.boolean(),
        securityContext: fc.record({ runAsUser: id, runAsGroup: id, fsGroup: id }, { requiredKeys: [] }),
        serviceAccountName: label,
      },
      { requiredKeys: ['containers'] },
    ),
  })
  .map((given) => ({
    kind: 'Pod',
    metadata: {
      generateName: 'x-',
      annotations: { ...given.others, ...annotations({ name: 'web.default.svc', ...given.wishes }) },
    },
    spec: given.spec,
  }));
const clusters: fc.Arbitrary<Capabilities> = fc.record({ podCertificates: fc.boolean(), nativeSidecars: fc.boolean() });

const settings = { ...webhookConfig(), anchors: ['AB'], hostAliases: 'autocert.step.svc=10.0.0.1' };
const sidecar = sidecarPatch(settings);

function inject(pod: object, cluster: Capabilities): Json {
  const { body } = admit(reviewOf(pod), {
    config: () => settings,
    capabilities: () => cluster,
    sidecar: () => sidecar,
  });
  const { allowed, patch } = JSON.parse(body).response;
  expect(allowed).toBe(true);
  return patch === undefined ? pod : applyPatch(pod, JSON.parse(Buffer.from(patch, 'base64').toString()));
}
const each = (check: (pod: Json, patched: Json, cluster: Capabilities) => void) =>
  fc.assert(
    fc.property(pods, clusters, (given, cluster) => {
      // as the API server sends it: without what JSON does not have
      const pod = JSON.parse(JSON.stringify(given));
      check(pod, inject(pod, cluster), cluster);
    }),
  );
const ours = (name: string) => name.startsWith('autocert-');
const all = (pod: Json) => [...(pod.spec.initContainers ?? []), ...pod.spec.containers];

test('every container and init container of the author mounts the files read-only, exactly once', () => {
  each((_pod, patched) => {
    for (const { name, volumeMounts } of all(patched)) {
      const mounts = volumeMounts.filter(({ mountPath }: Json) => mountPath === CERTIFICATE_DIR);
      expect(mounts).toEqual([
        ours(name)
          ? { name: 'autocert-certs', mountPath: CERTIFICATE_DIR }
          : { name: 'autocert-certs', mountPath: CERTIFICATE_DIR, readOnly: true },
      ]);
    }
  });
});

test("nothing of the author's is lost, changed or reordered", () => {
  each((pod, patched) => {
    const stripped = structuredClone(patched);
    delete stripped.metadata.annotations['autocert.step.sm/status'];
    for (const list of ['containers', 'initContainers', 'volumes']) {
      stripped.spec[list] = (stripped.spec[list] ?? []).filter(({ name }: Json) => !ours(name));
      for (const item of stripped.spec[list]) {
        if (item.volumeMounts) item.volumeMounts = item.volumeMounts.filter(({ name }: Json) => !ours(name));
      }
    }
    const expected = structuredClone(pod);
    for (const list of ['initContainers', 'volumes']) expected.spec[list] ??= [];
    for (const item of all(expected)) item.volumeMounts ??= [];
    expect(stripped).toEqual(expected);
  });
});

test('the result is a pod: names of containers and of volumes are unique, every mount has its volume', () => {
  each((_pod, patched) => {
    expect(podProblem(patched)).toBeUndefined();
    for (const items of [all(patched), patched.spec.volumes]) {
      const names = items.map(({ name }: Json) => name);
      expect(new Set(names.filter(ours)).size).toBe(names.filter(ours).length);
    }
    const volumeNames = new Set(patched.spec.volumes.map(({ name }: Json) => name));
    for (const { volumeMounts } of all(patched)) {
      for (const { name } of volumeMounts) if (ours(name)) expect(volumeNames).toContain(name);
    }
  });
});

test('injecting twice is injecting once', () => {
  each((_pod, patched, cluster) => {
    expect(inject(patched, cluster)).toEqual(patched);
  });
});

test('the same pod always gets the same patch', () => {
  each((pod, patched, cluster) => {
    expect(JSON.stringify(inject(pod, cluster))).toBe(JSON.stringify(patched));
  });
});
