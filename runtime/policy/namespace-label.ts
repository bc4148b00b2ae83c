/**
 * The label of namespaces that turns Autocert on, and what Kubernetes takes for a label. Pure.
 * @module
 */
import { NAMESPACE_LABEL, type NamespaceLabel, type PolicyConfig } from '../contract.ts';
import { isDnsLabel } from './names.ts';

/** A label's value, or the name in its key; a value may be empty as well. */
const WORD = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const MAX_PREFIX = 253;

/** The label that an installation goes by. */
export function labelOf({ namespaceLabel }: Pick<PolicyConfig, 'namespaceLabel'>): NamespaceLabel {
  return namespaceLabel ?? NAMESPACE_LABEL;
}

/** The label that a webhook's registration selects namespaces by; `undefined`: it selects by none. */
export function selectedLabel(selector: { readonly matchLabels?: Readonly<Record<string, string>> } | undefined) {
  const [found] = Object.entries(selector?.matchLabels ?? {});
  return found && { key: found[0], value: found[1] };
}

/** As kubectl and label selectors have it: `autocert.step.sm=enabled`. */
export function labelText({ key, value }: NamespaceLabel): string {
  return `${key}=${value}`;
}

/** Whether these labels of a namespace turn Autocert on for it. */
export function isLabelled(labels: Readonly<Record<string, unknown>> | undefined, label: NamespaceLabel): boolean {
  return labels !== undefined && Object.hasOwn(labels, label.key) && labels[label.key] === label.value;
}

/** Whether a text can be the key of a label: a word, behind a DNS name and `/` or not. */
export function isLabelKey(key: string): boolean {
  const [name = '', prefix, ...more] = key.split('/').reverse();
  const isPrefix = (text: string) => text.length <= MAX_PREFIX && text.split('.').every(isDnsLabel);
  return more.length === 0 && WORD.test(name) && (prefix === undefined || isPrefix(prefix));
}

/** Whether a text can be the value of a label. */
export function isLabelValue(value: string): boolean {
  return value === '' || WORD.test(value);
}

/** Keys of Kubernetes' own, which mean something else on a namespace. */
const KUBERNETES = /^([^/]+\.)?(kubernetes|k8s)\.io\//;

/** What keeps a label from being the one; `undefined`: nothing. */
export function labelProblem({ key, value }: NamespaceLabel): string | undefined {
  if (!isLabelKey(key) || value === '' || !isLabelValue(value)) {
    return 'it takes a label as kubectl has it, such as "autocert.example.com=enabled": key and value of at most 63 letters, digits, "-", "_" and ".", the key behind a DNS name and "/" or not';
  }
  return KUBERNETES.test(key) ? 'this key is Kubernetes’ own: take another' : undefined;
}
