/**
 * A real API server, its admission policies as they are synthesized, and the webhook's judgement: all say the same of every
 * pod, and the API server takes every pod that the webhook has patched.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { InjectionPolicy } from '../../constructs/injection-policy.ts';
import { ValidationPolicy } from '../../constructs/validation-policy.ts';
import { applyPatch } from '../../runtime/cli/json-patch.ts';
import { Annotation, NAMESPACE_LABEL, type PolicyConfig } from '../../runtime/contract.ts';
import { judgePod } from '../../runtime/policy/certificate-spec.ts';
import { admit } from '../../runtime/webhook/admission.ts';
import { accountOf, type Decision, decide } from '../../runtime/webhook/decision.ts';
import { sidecarPatch } from '../../runtime/webhook/injection-patch.ts';
import type { Pod } from '../../runtime/webhook/pod.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import type { ApiReply, ApiServer } from '../support/api-server.ts';
import { synth } from '../support/manifests.ts';
import { reviewOf, webhookConfig } from '../support/reviews.ts';
import { FUZZ_POLICY, NAMESPACES } from './names.ts';
import { Outcome } from './outcome.ts';
import { ACCOUNTS, type FuzzPod, inNamespace, KINDS, type Kind, objectOf, pods } from './pods.ts';

/** A namespace where pods are injected by the API server itself. */
const nativeOf = (namespace: string) => `native-${namespace}`;
/** Where no policy applies: whether the API server would take such an object at all. */
const BARE = 'bare';
const AT_ONCE = 16;
const CAPABLE = { podCertificates: true, nativeSidecars: true };

/** The policy of the namespaces without a webhook, the same by other names. */
const NATIVE_POLICY: PolicyConfig = {
  ...FUZZ_POLICY,
  namespaces: Object.fromEntries(
    Object.entries(FUZZ_POLICY.namespaces).map(([name, limits]) => [nativeOf(name), limits]),
  ),
  excludedNamespaces: [...FUZZ_POLICY.excludedNamespaces, ...NAMESPACES],
};
const WEBHOOK_POLICY: PolicyConfig = {
  ...FUZZ_POLICY,
  excludedNamespaces: [...FUZZ_POLICY.excludedNamespaces, ...NAMESPACES.map(nativeOf)],
};

/** Makes namespaces and policies, and waits until the policies hold. */
export async function prepare(server: ApiServer): Promise<void> {
  const created = async (path: string, object: object) => {
    const { status, body } = await server.create(path, object);
    if (status !== 201) throw new Error(`${path}: ${JSON.stringify(body).slice(0, 2000)}`);
  };
  const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
  const enabled = [...NAMESPACES, ...NAMESPACES.map(nativeOf)];
  for (const name of [...enabled, BARE]) {
    await created('/api/v1/namespaces', { metadata: { name, ...(name !== BARE && { labels }) } });
    // No controller makes any.
    for (const account of ACCOUNTS)
      await created(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: account } });
  }
  const objects = synth((chart) => {
    new ValidationPolicy(chart, 'webhook', { policy: () => WEBHOOK_POLICY });
    new ValidationPolicy(chart, 'native', { policy: () => NATIVE_POLICY, policyInjector: true, name: 'native' });
    new InjectionPolicy(chart, 'injection', { policy: () => NATIVE_POLICY });
  });
  for (const object of objects) {
    const plural = `${object.kind.toLowerCase().replace(/y$/, 'ie')}s`;
    await created(`/apis/${object.apiVersion}/${plural}`, object);
  }
  const wrong: FuzzPod = {
    namespace: 'shop',
    annotations: { [Annotation.name]: 'not.allowed' },
    spec: { containers: [{ name: 'a', image: 'b' }] },
  };
  const right = { ...wrong, annotations: { [Annotation.name]: 'web.native-shop.svc' } };
  await waitFor('the policies to hold', async () => {
    const native = nativeOf('shop');
    const [deployment, pod] = [objectOf('Deployment', wrong), objectOf('Pod', wrong, native)];
    const injected = await server.create(...objectOf('Pod', right, native), true);
    const refused = [await server.create(...deployment, true), await server.create(...pod, true)];
    return injected.body.spec?.volumes?.length > 0 && refused.every(({ status }) => status >= 400);
  });
}

/** Compares `count` cases; the same seed gives the same ones. */
export async function compare(server: ApiServer, seed: number, count: number): Promise<Outcome> {
  const outcome = new Outcome('TypeScript, CEL and a real API server');
  const kinds = fc.oneof(
    { arbitrary: fc.constant<Kind>('Pod'), weight: 3 },
    { arbitrary: fc.constantFrom(...KINDS.filter((kind) => kind !== 'Pod')), weight: 2 },
  );
  const cases = fc.sample(fc.tuple(kinds, pods), { seed, numRuns: count });
  const waiting = cases.values();
  const worker = async () => {
    for (const [kind, pod] of waiting) {
      outcome.cases += 1;
      const here = inNamespace(pod, pod.namespace);
      if (kind !== 'Pod') await compareWorkload(server, kind, here, outcome);
      else {
        await comparePod(server, inNamespace(pod, nativeOf(pod.namespace)), outcome);
        await patchIsTaken(server, here, outcome);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcome;
}

const judged = (pod: FuzzPod) => ({ ...pod, serviceAccount: accountOf(podOf(pod)) });

/** What makes pods is judged by the policy as the webhook judges the pods themselves. */
async function compareWorkload(server: ApiServer, kind: Kind, pod: FuzzPod, outcome: Outcome): Promise<void> {
  const { namespace, annotations } = pod;
  const judgement = judgePod(judged(pod), WEBHOOK_POLICY);
  // Whether native delivery can do it is known only where the pod is made.
  const { [Annotation.status]: _, ...rest } = annotations;
  const calm = judgement.kind === 'admitted' ? { ...rest, [Annotation.delivery]: 'auto' } : rest;
  const decision = decide(podOf({ ...pod, annotations: calm }), namespace, webhookConfig(WEBHOOK_POLICY), CAPABLE);
  const reply = await server.create(...objectOf(kind, pod), true);
  await settle(server, kind, pod, { decision, reply }, outcome);
}

/** A pod is what the webhook would have made of it, or is refused as the webhook would have refused it. */
async function comparePod(server: ApiServer, pod: FuzzPod, outcome: Outcome): Promise<void> {
  const { namespace } = pod;
  const config = webhookConfig({ ...NATIVE_POLICY, delivery: 'native' });
  const judgement = judgePod(judged(pod), config);
  const decision: Decision =
    judgement.kind === 'admitted' && judgement.spec.delivery === 'sidecar'
      ? { kind: 'deny', code: 422, rule: 'DeliveryImpossible', message: 'there is no agent' }
      : decide(podOf(pod), namespace, config, CAPABLE);
  const reply = await server.create(...objectOf('Pod', pod), true);
  const agreed = await settle(server, 'Pod', pod, { decision, reply }, outcome);
  if (!agreed || decision.kind !== 'inject' || reply.status !== 201) return;
  const [path, object] = objectOf('Pod', pod, BARE);
  const patched = applyPatch(object, patchOf(object, namespace, config) ?? []);
  const ours = await server.create(path, patched, true);
  if (ours.status !== 201 || !isDeepStrictEqual(ours.body.spec, reply.body.spec)) {
    outcome.problem('webhook and policy make different pods', { pod, webhook: ours.body, policy: reply.body.spec });
  } else outcome.count('pods made alike by webhook and policy');
}

/** Whether they agree: notes what both say, or that they do not. */
async function settle(
  server: ApiServer,
  kind: Kind,
  pod: FuzzPod,
  { decision, reply }: { readonly decision: Decision; readonly reply: ApiReply },
  outcome: Outcome,
): Promise<boolean> {
  const who = { kind, ...pod, decision, reply: reply.body.message };
  const byPolicy = /ValidatingAdmissionPolicy/.test(String(reply.body.message));
  if (/resulted in error|failed: /.test(String(reply.body.message)) && byPolicy) {
    outcome.problem('CEL fails instead of judging', who);
    return false;
  }
  if (reply.status === 201) {
    if (decision.kind === 'deny') outcome.problem('CEL lets through what TypeScript refuses', who);
    else outcome.count(decision.kind === 'inject' ? 'allowed by both' : 'not asked of both');
    return decision.kind !== 'deny';
  }
  if (decision.kind === 'deny') {
    outcome.count(byPolicy ? 'refused by both' : 'refused by TypeScript and as an object');
    return true;
  }
  const bare = await server.create(...objectOf(kind, pod, BARE), true);
  if (bare.status !== 201) outcome.count('no object at all');
  else outcome.problem('the API server refuses what TypeScript allows', who);
  return bare.status !== 201;
}

/** Whatever the webhook does to a pod that the API server takes, it still takes. */
async function patchIsTaken(server: ApiServer, pod: FuzzPod, outcome: Outcome): Promise<void> {
  const [path, object] = objectOf('Pod', pod, BARE);
  for (const delivery of ['auto', 'sidecar'] as const) {
    for (const sidecar of delivery === 'auto' ? (['auto'] as const) : (['native', 'classic'] as const)) {
      const patch = patchOf(object, pod.namespace, webhookConfig({ ...WEBHOOK_POLICY, delivery, sidecar }));
      if (patch === undefined) continue;
      const patched = applyPatch(object, patch);
      const { status, body } = await server.create(path, patched, true);
      if (status === 201) {
        outcome.count('patched pods taken');
        continue;
      }
      const bare = await server.create(path, object, true);
      if (bare.status === 201)
        outcome.problem('the API server refuses the patch', { pod, delivery, sidecar, why: body.message });
    }
  }
}

function patchOf(object: object, namespace: string, config: ReturnType<typeof webhookConfig>) {
  const sidecar = sidecarPatch({ ...config, anchors: [ROOT], hostAliases: 'autocert.step.svc=198.19.0.9' });
  const { body } = admit(reviewOf(object, { namespace }), {
    config: () => config,
    capabilities: () => CAPABLE,
    sidecar: () => sidecar,
  });
  const { patch } = JSON.parse(body).response as { patch?: string };
  return patch === undefined ? undefined : JSON.parse(Buffer.from(patch, 'base64').toString());
}

const ROOT = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

function podOf({ annotations, spec }: FuzzPod): Pod {
  return { metadata: { generateName: 'x-', annotations }, spec } as unknown as Pod;
}
