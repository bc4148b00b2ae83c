/**
 * What Autocert would do with a pod, and why: by the webhook's own decision and patch. Pure.
 * @module
 */
import { Annotation, STATUS_INJECTED } from '../../contract.ts';
import { MIRROR } from '../../policy/judgement.ts';
import { labelOf, labelText } from '../../policy/namespace-label.ts';
import { isExcluded } from '../../policy/reserved-names.ts';
import type { Capabilities } from '../../webhook/capabilities.ts';
import { type Decision, type DenyRule, decide, type SkipRule } from '../../webhook/decision.ts';
import { type Pod, podProblem } from '../../webhook/pod.ts';
import { unifiedDiff } from '../pod-diff.ts';
import type { CreatedPod } from '../workloads.ts';
import { type Injection, type InjectorConfig, injected, injectionOf } from './injection.ts';
import { annotationsOf, withoutInjection } from './uninjected.ts';

/** Whose pod it is. */
export interface Subject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly pod: CreatedPod;
  /** `true`: it is a pod of the cluster, and no template of one. */
  readonly live?: boolean;
}

/** What the answer depends on. */
export interface Circumstances {
  readonly config: InjectorConfig;
  readonly capabilities: Capabilities;
  /** Whether the pod's namespace carries the label. */
  readonly namespaceEnabled: boolean;
}

/** Why, in one word for programs. */
export type Rule = SkipRule | DenyRule | 'NamespaceNotEnabled' | 'MirrorPod' | 'InvalidPod';

/** The answer. */
export interface Explanation {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `reported`: by the rules it is refused, and in report mode it is created without a certificate. */
  readonly outcome: 'injected' | 'refused' | 'reported' | 'left-alone';
  readonly rule?: Rule;
  /** Why it is refused or left alone, each with what would change it. */
  readonly reasons: readonly string[];
  /** What else is worth knowing. */
  readonly notes: readonly string[];
  readonly injection?: Injection;
  /** The pod before and after, as a unified diff of YAML. */
  readonly diff?: readonly string[];
}

/** Rules that a pod is judged by when it is created, and not when its certificate is renewed. */
const AT_CREATION: readonly Rule[] = ['InvalidPod', 'Conflict', 'DeliveryImpossible'];

const REPORTED = 'Autocert is in report mode: it is created as it is, without a certificate, and with a warning';

const NO_AGENT = `there is no webhook that injects an agent (Injector.policy()): leave out ${Annotation.delivery}: sidecar`;

/** Explains what becomes of a pod that is created now. */
export function explain(subject: Subject, circumstances: Circumstances): Explanation {
  const { kind, namespace, name } = subject;
  const wasInjected = subject.live === true && annotationsOf(subject.pod)[Annotation.status] === STATUS_INJECTED;
  const pod = wasInjected ? withoutInjection(subject.pod) : subject.pod;
  const about = { kind, namespace, name } as const;
  const { config, capabilities, namespaceEnabled } = circumstances;
  const end = (kept: 'refused' | 'left-alone', rule: Rule, ...reasons: string[]): Explanation => {
    const outcome = kept === 'refused' && config.mode === 'report' ? 'reported' : kept;
    const notes = [
      ...(wasInjected && !AT_CREATION.includes(rule)
        ? [`it runs with a certificate, and gets no next one: ${reasons.join('; ')}`]
        : []),
      ...(outcome === 'reported' ? [REPORTED] : []),
    ];
    return { ...about, outcome, rule, reasons, notes };
  };
  const problem = podProblem(pod);
  if (problem) return end('refused', 'InvalidPod', problem.replace(/^object(?:\.| )/, ''));
  if (annotationsOf(pod)[MIRROR] !== undefined) {
    return end(
      'left-alone',
      'MirrorPod',
      'it is the mirror of a static pod, which kubelet runs as its file says: run it by a DaemonSet',
    );
  }
  const decision = decide(pod as Pod, namespace, config, capabilities);
  if (!namespaceEnabled && !isExcluded(config, namespace)) {
    const wanted = labelText(labelOf(config));
    const label = `namespace ${namespace} is not labelled ${wanted}: kubectl label namespace ${namespace} ${wanted}`;
    const more = decision.kind === 'inject' ? [] : [wordsOf(decision)];
    return end('left-alone', 'NamespaceNotEnabled', label, ...more);
  }
  if (decision.kind === 'skip') return end('left-alone', decision.rule, wordsOf(decision));
  if (decision.kind === 'deny') return end('refused', decision.rule, decision.message);
  if (decision.plan.delivery === 'sidecar' && !config.agent) {
    return end('refused', 'DeliveryImpossible', NO_AGENT);
  }
  const patched = injected(pod as Pod, decision.plan, config);
  const notes = subject.live ? liveNotes(wasInjected) : [];
  const injection = injectionOf(pod as Pod, patched, decision.plan, config);
  return { ...about, outcome: 'injected', reasons: [], notes, injection, diff: unifiedDiff(pod, patched, 'pod') };
}

function liveNotes(wasInjected: boolean): string[] {
  return [
    wasInjected
      ? 'it is injected already: this is what a new pod in its place gets'
      : 'it runs without a certificate, since pods are injected when they are created: have it created anew',
  ];
}

function wordsOf(decision: Exclude<Decision, { kind: 'inject' }>): string {
  if (decision.kind === 'deny') return decision.message;
  const remedy: Readonly<Record<SkipRule, string>> = {
    AlreadyInjected: `: remove the annotation ${Annotation.status} to have it injected anew`,
    NamespaceExcluded: ': excludedNamespaces of the AutocertWebhook has it, or Autocert always leaves it out',
    NoName: ': annotate the pod, not what creates it, with the name that the certificate is for',
  };
  return `${decision.reason}${remedy[decision.rule]}`;
}
