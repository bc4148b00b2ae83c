/**
 * What the page shows: the status, and what `autocert doctor` finds, brought into the order in which somebody who looks wants
 * it. Pure. The page draws it and decides nothing but what time does meanwhile.
 * @module
 */
import type { Diagnosis } from '../doctor/run.ts';
import type { Presence, Registration } from '../observed/installation.ts';
import { otherPodsText } from '../observed/other-pods.ts';
import type { StatusReport } from '../status/run.ts';
import { excerpt } from '../terminal.ts';
import { type NamespaceRow, namespaceRows, type PodRow, podRows } from './pod-rows.ts';
import { type Problem, problemsOf } from './problems.ts';
import type { ServingCertificate } from './serving.ts';
import { certificateTree, type TreeNode } from './tree.ts';

/** A part of Autocert, or what it has registered with the API server. */
export interface Component {
  readonly name: string;
  /** `kind/name`. */
  readonly object: string;
  /** `absent`: it is not there, which may be meant; `unknown`: the user may not read it. */
  readonly state: 'good' | 'bad' | 'absent' | 'unknown';
  readonly words: string;
}

/** All of it: what `/status.json` answers. Times are RFC 3339, texts short and without control characters. */
export interface Dashboard {
  /** Namespace of Autocert. */
  readonly namespace: string;
  /** Whose pods; absent: those of all namespaces. */
  readonly podsOf?: string;
  /** When the cluster last answered. */
  readonly readAt: string;
  /** Milliseconds: so often the cluster is asked. */
  readonly everyMs: number;
  /** Why the cluster has not answered since. */
  readonly lost?: string;
  /** Errors first. */
  readonly problems: readonly Problem[];
  /** How many more there are. */
  readonly moreProblems: number;
  /** When `autocert doctor` last looked; absent: it does not, or did not yet. */
  readonly diagnosedAt?: string;
  /** What it could not look at, a line each. */
  readonly notLookedAt: readonly string[];
  readonly tree: readonly TreeNode[];
  readonly components: readonly Component[];
  readonly namespaces: readonly NamespaceRow[];
  /** Those that need a look first, then by name. */
  readonly pods: readonly PodRow[];
  /** There are more pods than are told of. */
  readonly more: boolean;
  /** Pods of other installations, in a sentence. Absent: there are none. */
  readonly otherPods?: string;
}

/** What it is made of. */
export interface Facts {
  readonly report: StatusReport;
  readonly podsOf?: string | undefined;
  readonly readAt: Date;
  readonly everyMs: number;
  readonly lost?: string | undefined;
  readonly diagnosis?: Diagnosis | undefined;
  readonly diagnosedAt?: Date | undefined;
  readonly serving: readonly ServingCertificate[];
}

/** Characters of one text, and problems that are told. */
const MAX = { text: 400, problems: 50 } as const;
const KIND_WORDS: Readonly<Record<string, string>> = {
  mutatingwebhookconfiguration: 'webhook registration',
  mutatingadmissionpolicy: 'mutating policy',
  validatingadmissionpolicy: 'validating policy',
};
const PRESENCE_WORDS = { there: 'there', missing: 'not there', unknown: 'you may not read it' } as const;
const PRESENCE_STATES: Readonly<Record<Presence, Component['state']>> = {
  there: 'good',
  missing: 'absent',
  unknown: 'unknown',
};

/** See the module. */
export function dashboardOf(facts: Facts): Dashboard {
  const { report, podsOf, readAt, everyMs, lost, diagnosis, diagnosedAt, serving } = facts;
  const { installation, more, others } = report;
  const otherPods = otherPodsText(others);
  const pods = podRows(report.pods, readAt);
  const problems = problemsOf(installation, pods, diagnosis, readAt);
  return harmless({
    namespace: installation.namespace,
    ...(podsOf !== undefined && { podsOf }),
    readAt: readAt.toISOString(),
    everyMs,
    ...(lost !== undefined && { lost }),
    problems: problems.slice(0, MAX.problems),
    moreProblems: Math.max(0, problems.length - MAX.problems),
    ...(diagnosedAt && { diagnosedAt: diagnosedAt.toISOString() }),
    notLookedAt: diagnosis?.notLookedAt.slice(0, MAX.problems) ?? [],
    tree: certificateTree(installation, serving),
    components: [...installation.parts.map(component), ...installation.registrations.map(registered)],
    namespaces: namespaceRows(pods),
    pods,
    more,
    ...(otherPods !== undefined && { otherPods }),
  });
}

function component({ name, object, presence, ready = 0, wanted = 0 }: StatusReport['installation']['parts'][number]) {
  const isThere = presence === 'there';
  const state = isThere && ready < wanted ? 'bad' : PRESENCE_STATES[presence];
  return { name, object, state, words: isThere ? `${ready} of ${wanted} ready` : PRESENCE_WORDS[presence] };
}

function registered({ object, presence, problem }: Registration): Component {
  const state = problem === undefined ? PRESENCE_STATES[presence] : 'bad';
  const [kind = ''] = object.split('/', 1);
  return { name: KIND_WORDS[kind] ?? kind, object, state, words: problem ?? PRESENCE_WORDS[presence] };
}

/** Every text of it short, and without characters that cannot be seen or turn the direction of writing. */
function harmless<T>(value: T): T {
  if (typeof value === 'string') return excerpt(value, MAX.text) as T;
  if (Array.isArray(value)) return value.map(harmless) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, harmless(one)])) as T;
}
