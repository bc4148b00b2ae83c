/**
 * What a pod's annotations ask for, and whether it may have it: the one judgement that admission, the token endpoint
 * and the signer share. Pure. An empty annotation counts as absent, so that templates can switch one off.
 * @module
 */
import { Annotation, DELIVERIES, type Delivery, type NamespacePolicy, type PolicyConfig } from '../contract.ts';
import { messageOf } from '../lib/errors.ts';
import { annotationsProblem, unknownAnnotations } from './annotations.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { MAX_COMMON_NAME, MAX_SANS } from './lifetimes.ts';
import { nameRefusal, rulesOf } from './name-policy.ts';
import { MAX_URI, parseName, quoteName } from './names.ts';
import { isExcluded } from './reserved-names.ts';

/** The certificate that a pod asked for and may have, and how its files are to be. */
export interface CertificateSpec {
  /** Absent: the name is longer than a common name may be, and is among the SANs alone. */
  readonly commonName?: string;
  /** Subject alternative names in canonical form, at least one, none twice. */
  readonly sans: readonly string[];
  /** Lifetime in milliseconds. Absent: the CA's default, which the namespace's limit allows. */
  readonly duration?: number;
  /** Owner of the files. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Mode of the files. */
  readonly mode?: number;
  readonly initFirst: boolean;
  readonly bootstrapperOnly: boolean;
  readonly delivery: Delivery;
}

/** A pod as far as it is judged. */
export interface JudgedPod {
  readonly namespace: string;
  /** The account that it runs as. */
  readonly serviceAccount: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The answer: its namespace's pods get nothing; no certificate asked for; refused, for all of these reasons, which have
 * 4 KiB at most; or what is to be given.
 */
export type Judgement =
  | { readonly kind: 'excluded' }
  | { readonly kind: 'none' }
  | { readonly kind: 'denied'; readonly reasons: readonly string[] }
  | { readonly kind: 'admitted'; readonly spec: CertificateSpec };

/** Largest uid and gid that the Kubernetes API takes. */
export const MAX_ID = 2 ** 31 - 1;
/** Longest list of names: as many as there may be, each as long as it may be, and something between them. */
const MAX_SANS_TEXT = MAX_SANS * (MAX_URI + 2);
/** Longest refusal, characters: 4 KiB with the few that are not ASCII. It becomes an answer, a log line and an event. */
const MAX_REFUSAL = 4000;
const CUT = '… (and more: this message has been cut)';

/** Judges a pod by its annotations and its namespace's policy. Finds every fault at once. */
export function judgePod(pod: JudgedPod, policy: PolicyConfig): Judgement {
  if (isExcluded(policy, pod.namespace)) return { kind: 'excluded' };
  if (!pod.annotations[Annotation.name]) return { kind: 'none' };
  const problem = annotationsProblem(pod.annotations);
  if (problem) return { kind: 'denied', reasons: [problem] };
  const { namespace, serviceAccount } = pod;
  const limits = rulesOf(policy, namespace);
  const reasons: string[] = unknownAnnotations(pod.annotations);
  /** The value of an annotation as `read` has it, or its fault among the reasons. */
  const annotation = <T>(key: string, read: (text: string) => T): T | undefined => {
    const text = pod.annotations[key];
    if (!text) return undefined;
    try {
      return read(text);
    } catch (error) {
      reasons.push(`${key}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const allowed = (text: string): string => {
    const parsed = parseName(text);
    const refusal = nameRefusal(parsed, { namespace, serviceAccount, policy });
    if (refusal) throw new Error(refusal);
    return parsed.value;
  };

  const first = annotation(Annotation.name, allowed);
  const listed = pod.annotations[Annotation.sans]?.trim()
    ? annotation(Annotation.sans, (text) => readSans(text, allowed))
    : [];
  const isCommonName = first !== undefined && first.length <= MAX_COMMON_NAME;
  const duration =
    annotation(Annotation.duration, (text) => readDuration(text, namespace, limits, policy)) ??
    durationOfNamespace(limits, policy);
  const owner = annotation(Annotation.owner, readOwner);
  const mode = annotation(Annotation.mode, readMode);
  const initFirst = annotation(Annotation.initFirst, readBoolean) ?? false;
  const bootstrapperOnly = annotation(Annotation.bootstrapperOnly, readBoolean) ?? false;
  const delivery = annotation(Annotation.delivery, readDelivery) ?? 'auto';

  if (reasons.length > 0 || first === undefined || listed === undefined) {
    return { kind: 'denied', reasons: shortened(reasons) };
  }
  return {
    kind: 'admitted',
    spec: {
      ...(isCommonName && { commonName: first }),
      // What is no common name has to be somewhere.
      sans: listed.length > 0 && isCommonName ? listed : [...new Set([first, ...listed])],
      ...(duration !== undefined && { duration }),
      ...(owner && { owner }),
      ...(mode !== undefined && { mode }),
      initFirst,
      bootstrapperOnly,
      delivery,
    },
  };
}

/** The first of the reasons, whole as far as there is room. */
function shortened(reasons: readonly string[]): readonly string[] {
  const whole = reasons.join('; ');
  return whole.length <= MAX_REFUSAL ? reasons : [`${whole.slice(0, MAX_REFUSAL - CUT.length)}${CUT}`];
}

/** All names of the list; throws one message with every name that is wrong. */
function readSans(text: string, allowed: (text: string) => string): readonly string[] {
  if (text.length > MAX_SANS_TEXT) throw new Error(`${text.length} characters are more than ${MAX_SANS_TEXT}`);
  const items = text.split(',');
  if (items.length > MAX_SANS) throw new Error(`${items.length} names are more than ${MAX_SANS}`);
  const faults: string[] = [];
  const values = new Set<string>();
  for (const item of items.map((part) => part.trim())) {
    try {
      const value = allowed(item);
      if (values.has(value)) faults.push(`${quoteName(value)} is there twice`);
      values.add(value);
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  if (faults.length > 0) throw new Error(faults.join('; '));
  return [...values];
}

function readDuration(text: string, namespace: string, limits: NamespacePolicy, policy: PolicyConfig): number {
  const duration = parseDuration(text);
  const longest = longestDuration(limits, policy);
  if (duration < parseDuration(policy.minDuration)) {
    throw new Error(`${JSON.stringify(text)} is shorter than the CA's minimum of ${policy.minDuration}`);
  }
  if (duration > longest) {
    const whose = longest < parseDuration(policy.maxDuration) ? `namespace ${JSON.stringify(namespace)}'s` : "the CA's";
    throw new Error(`${JSON.stringify(text)} is longer than ${whose} maximum of ${formatDuration(longest)}`);
  }
  return duration;
}

function longestDuration(limits: NamespacePolicy, policy: PolicyConfig): number {
  const byCa = parseDuration(policy.maxDuration);
  return limits.maxDuration === undefined ? byCa : Math.min(byCa, parseDuration(limits.maxDuration));
}

/** The namespace's limit where the CA's default would exceed it. */
function durationOfNamespace(limits: NamespacePolicy, policy: PolicyConfig): number | undefined {
  if (limits.maxDuration === undefined) return undefined;
  const longest = longestDuration(limits, policy);
  return parseDuration(policy.defaultDuration) > longest ? longest : undefined;
}

function readOwner(text: string): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  if (uid === undefined || gid === undefined || Number(uid) > MAX_ID || Number(gid) > MAX_ID) {
    throw new Error(`${quoteName(text)} is not an owner: write uid:gid in numbers, such as 999:999`);
  }
  return { uid: Number(uid), gid: Number(gid) };
}

function readMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) {
    throw new Error(`${quoteName(text)} is not a file mode: write three octal digits, such as 0600`);
  }
  const mode = Number.parseInt(text, 8);
  // The agent itself reads the files to renew the certificate.
  if ((mode & 0o400) === 0)
    throw new Error(`${quoteName(text)} leaves the owner unable to read the files; write 0400 or more`);
  return mode;
}

function readBoolean(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new Error(`${quoteName(text)} is neither "true" nor "false"`);
}

function readDelivery(text: string): Delivery {
  const delivery = DELIVERIES.find((known) => known === text);
  if (!delivery) throw new Error(`${quoteName(text)} is not a delivery: write ${DELIVERIES.join(', ')}`);
  return delivery;
}
