/**
 * Labels and annotations that props take, by the grammar of Kubernetes. On pods, not those by which pods are found: our
 * selectors, Services and NetworkPolicies go by them, and so do Kubernetes' controllers.
 * @module
 */
import { DOMAIN, type NamespaceLabel } from '../runtime/contract.ts';
import { isLabelKey, labelProblem } from '../runtime/policy/namespace-label.ts';
import { type Check, check, checkLabelValue, checkMap, checkString, refuse } from './validation.ts';

/** What the annotations of an object may take together, keys and values, in bytes. */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

const checkKeyName = checkString(
  'it takes a key such as "team" or "example.com/team": at most 63 letters, digits, "-", "_" and ".", behind a DNS name and "/" or not',
  isLabelKey,
);

const checkAnnotation = check(
  'it takes a string: put numbers, true and false in quotes',
  (value): value is string => typeof value === 'string',
);

/** Labels of any object. */
export function checkLabels(prop: string, value: unknown): Readonly<Record<string, string>> {
  return checkKeys(prop, checkMap(prop, value, checkLabelValue));
}

/** Annotations of any object, but ours. */
export function checkAnnotations(prop: string, value: unknown): Readonly<Record<string, string>> {
  const annotations = checkKeys(prop, checkMap(prop, value, checkAnnotation));
  refuseKeys(prop, annotations, OURS);
  const bytes = Buffer.byteLength(Object.entries(annotations).flat().join(''));
  if (bytes <= MAX_ANNOTATIONS_BYTES) return annotations;
  return refuse(prop, `${bytes} bytes`, `all annotations together take ${MAX_ANNOTATIONS_BYTES} bytes at most`);
}

/** Labels of our pods, besides those by which they are found. */
export const checkPodLabels: Check<Readonly<Record<string, string>>> = (prop, value) => {
  const labels = checkLabels(prop, value);
  refuseKeys(prop, labels, OURS, CONTROLLERS);
  if (Object.hasOwn(labels, 'app')) {
    refuse(`${prop}.app`, labels.app, 'this label is Autocert’s: Services and NetworkPolicies find pods by it');
  }
  return labels;
};

/** The label of namespaces that turns Autocert on: `key=value`. */
export const checkNamespaceLabel: Check<NamespaceLabel> = (prop, value) => {
  const [key = '', text = '', ...more] = typeof value === 'string' ? value.split('=') : [];
  const label = { key, value: [text, ...more].join('=') };
  const problem = labelProblem(label);
  return problem === undefined ? label : refuse(prop, value, problem);
};

/** Annotations of our pods. */
export const checkPodAnnotations: Check<Readonly<Record<string, string>>> = (prop, value) => {
  const annotations = checkAnnotations(prop, value);
  refuseKeys(prop, annotations, DEFAULT_CONTAINER);
  return annotations;
};

/** Keys of somebody else, and whose they are. */
interface Taken {
  readonly keys: RegExp;
  readonly whose: string;
}

const OURS: Taken = { keys: new RegExp(`^([^/]+\\.)?${DOMAIN.replaceAll('.', '\\.')}(/|$)`), whose: 'Autocert’s' };
const DEFAULT_CONTAINER: Taken = { keys: /^kubectl\.kubernetes\.io\/default-container$/, whose: 'Autocert’s' };
/** What Deployments, StatefulSets and Jobs put on their pods, and know them by. */
const CONTROLLERS: Taken = {
  keys: /^(pod-template-hash|controller-revision-hash|controller-uid|job-name|(apps|batch|statefulset)\.kubernetes\.io\/.*)$/,
  whose: 'Kubernetes’ own',
};

function refuseKeys(prop: string, map: Readonly<Record<string, string>>, ...taken: readonly Taken[]): void {
  for (const [key, value] of Object.entries(map)) {
    const found = taken.find(({ keys }) => keys.test(key));
    if (found !== undefined) refuse(`${prop}.${key}`, value, `this key is ${found.whose}: take another`);
  }
}

function checkKeys<T>(prop: string, map: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  for (const key of Object.keys(map)) checkKeyName(prop, key);
  return map;
}
