/**
 * Annotations as they come from outside: their bounds, and those that Autocert does not know. A webhook sees what the API
 * server has not validated yet.
 * @module
 */
import { Annotation, DOMAIN } from '../contract.ts';
import { quoteName } from './names.ts';

/** Most annotations, of whatever key, that a pod with a certificate may have. */
export const MAX_ANNOTATIONS = 1000;
/** Longest keys and values together, as the Kubernetes API has it. */
const MAX_TOTAL = 256 * 1024;
/** Longest key of an annotation (Kubernetes API): prefix of 253 characters, `/`, name of 63. */
const MAX_KEY = 317;
/** Unknown annotations that are named in a refusal. */
const SHOWN_UNKNOWN = 5;
/** Most wrong characters in what is taken for a typing error. */
const TYPING_ERRORS = 3;

const KNOWN: ReadonlySet<string> = new Set(Object.values(Annotation));

/** Why these annotations are not even looked at; `undefined`: they are within bounds. */
export function annotationsProblem(annotations: Readonly<Record<string, string>>): string | undefined {
  const keys = Object.keys(annotations);
  if (keys.length > MAX_ANNOTATIONS) {
    return `the pod has ${keys.length} annotations, and one with a certificate may have ${MAX_ANNOTATIONS}: remove some`;
  }
  const total = keys.reduce((sum, key) => sum + key.length + (annotations[key] ?? '').length, 0);
  if (total <= MAX_TOTAL) return undefined;
  return `the pod's annotations have ${total} characters, more than the ${MAX_TOTAL} that the Kubernetes API takes: shorten them`;
}

/** What is wrong with annotations of our prefix that nobody knows. They are within bounds. */
export function unknownAnnotations(annotations: Readonly<Record<string, string>>): string[] {
  const unknown = Object.keys(annotations).filter((key) => key.startsWith(`${DOMAIN}/`) && !KNOWN.has(key));
  const named = unknown.slice(0, SHOWN_UNKNOWN).map(unknownAnnotation);
  const more = unknown.length - named.length;
  return more > 0 ? [...named, `${more} more annotations are not known`] : named;
}

function unknownAnnotation(key: string): string {
  if (key.length > MAX_KEY) return `${quoteName(key)} is longer than the key of an annotation may be`;
  const [nearest] = [...KNOWN]
    .filter((known) => Math.abs(known.length - key.length) <= TYPING_ERRORS)
    .map((known) => ({ known, distance: editDistance(key, known) }))
    .sort((a, b) => a.distance - b.distance);
  const isNear = nearest !== undefined && nearest.distance <= TYPING_ERRORS;
  const hint = isNear ? `did you mean ${nearest.known}?` : `known are ${[...KNOWN].join(', ')}`;
  return `${quoteName(key)} is not an annotation that Autocert knows: ${hint}`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
