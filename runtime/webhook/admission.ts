/**
 * One admission, from the review's body to the answer: review → decision → patch. No side effect, so `--dry-run=server`
 * leaves nothing behind, and no wait, so the API server has its answer within the time it takes to read the pod.
 * @module
 */
import type { WebhookConfig } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { signerName } from '../policy/cluster-names.ts';
import { type AdmissionAnswer, type AdmissionRequest, readReview, writeReview } from './admission-review.ts';
import type { Capabilities } from './capabilities.ts';
import { decide, type Plan } from './decision.ts';
import type { SidecarPatch } from './injection-patch.ts';
import { nativePatch } from './native-patch.ts';
import type { JsonPatch } from './patch.ts';
import { type Pod, podProblem } from './pod.ts';

/** What admission has to know; both are `undefined` until they are found out. */
export interface AdmissionSurroundings {
  readonly config: () => WebhookConfig;
  readonly capabilities: () => Capabilities | undefined;
  readonly sidecar: () => SidecarPatch | undefined;
}

/** Label of the metric, and field of the log line. */
export type AdmissionResult = 'injected' | 'skipped' | 'denied' | 'reported' | 'invalid';

/** The answer, and what to log of it. */
export interface Admission {
  /** AdmissionReview, JSON. */
  readonly body: string;
  readonly result: AdmissionResult;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Answers one review.
 * @throws AutocertError `INVALID_INPUT` when it is none; `UNAVAILABLE` while the webhook does not know enough to answer.
 */
export function admit(body: unknown, surroundings: AdmissionSurroundings): Admission {
  const request = readReview(body);
  const problem = reviewProblem(request);
  if (problem) return refuse(request, { code: 400, message: problem }, 'invalid', {}, surroundings);
  if (request.operation !== 'CREATE' || request.subResource !== '') {
    return close(request, { allowed: true }, 'skipped', { reason: 'only new pods are injected' });
  }
  const pod = request.object as Pod;
  const who = { namespace: request.namespace, pod: nameOf(pod) };
  const capabilities = known(surroundings.capabilities(), 'what the API server can do');
  const decision = decide(pod, request.namespace, surroundings.config(), capabilities);
  switch (decision.kind) {
    case 'skip':
      return close(request, { allowed: true }, 'skipped', { ...who, reason: decision.reason });
    case 'deny':
      return refuse(request, decision, 'denied', who, surroundings);
    case 'inject': {
      const { plan } = decision;
      const answer = { allowed: true, patch: patchFor(pod, plan, surroundings) } as const;
      return close(request, answer, 'injected', { ...who, names: plan.spec.sans, delivery: plan.delivery });
    }
  }
}

/**
 * In report mode it says so and lets the pod pass as it is. Without a patch: with one its agent would ask for ever, since
 * certificate endpoint and signer judge as ever.
 */
function refuse(
  request: AdmissionRequest,
  { code, message }: { readonly code: number; readonly message: string },
  result: AdmissionResult,
  fields: Admission['fields'],
  { config }: AdmissionSurroundings,
): Admission {
  const told = { ...fields, reason: message };
  if (config().mode === 'report') return close(request, { allowed: true, violation: message }, 'reported', told);
  return close(request, { allowed: false, code, message }, result, told);
}

function patchFor(pod: Pod, plan: Plan, { config, sidecar }: AdmissionSurroundings): JsonPatch {
  if (plan.delivery === 'native') {
    return nativePatch(pod, plan.spec, plan.duration, signerName(config().namespace));
  }
  return known(sidecar(), "the root certificate or the agents' image")(pod, plan.spec, plan.style);
}

function reviewProblem({ kind, namespace, object }: AdmissionRequest): string | undefined {
  if (kind !== 'Pod') {
    return `a ${JSON.stringify(kind.slice(0, 100))} was sent where a Pod is wanted: let the webhook's rules match pods only`;
  }
  if (namespace === '') return 'request.namespace must be the namespace of the pod';
  return podProblem(object);
}

function close(
  request: AdmissionRequest,
  answer: AdmissionAnswer,
  result: AdmissionResult,
  fields: Admission['fields'],
): Admission {
  return { body: writeReview(request, answer), result, fields };
}

/** Most pods are named only after admission, from the name of what creates them. The API server has not looked at it yet. */
function nameOf({ metadata: { name, generateName } }: Pod): string {
  const [own, prefix] = [name, generateName].map((text) => (typeof text === 'string' ? text.slice(0, 253) : ''));
  return own || `${prefix}…`;
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new AutocertError('UNAVAILABLE', `${what} is not known yet; try again`);
  return value;
}
