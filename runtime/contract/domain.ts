/**
 * Names of Autocert in a cluster: its keys, labels and objects.
 * @module
 */

/** The domain of every key that Autocert owns. */
export const DOMAIN = 'autocert.step.sm';

/** The label by which everything of Autocert is found again: `kubectl get … -A -l app.kubernetes.io/part-of=autocert`. */
export const PART_OF = { key: 'app.kubernetes.io/part-of', value: 'autocert' } as const;

/** A label of namespaces that turns Autocert on. */
export interface NamespaceLabel {
  readonly key: string;
  readonly value: string;
}

/** The usual one: `autocert.step.sm=enabled`. `PolicyConfig.namespaceLabel` may name another. */
export const NAMESPACE_LABEL = { key: DOMAIN, value: 'enabled' } as const satisfies NamespaceLabel;

/** Signer of native delivery in the namespace `step`; `policy/cluster-names.ts` has those of others. */
export const SIGNER_NAME = `${DOMAIN}/workload`;

/** The `ClusterTrustBundle` with its CA's roots, which the signer keeps. */
export const TRUST_BUNDLE_NAME = `${DOMAIN}:workload:root`;

/**
 * Annotation that an object of the PKI, or its namespace, must have with the value `"true"` before it can be deleted: it
 * holds what nobody can make again.
 */
export const ALLOW_DELETION = `${DOMAIN}/allow-deletion`;

/**
 * The ConfigMap in Autocert's namespace by which `autocert renew` has certificates replaced: a time (RFC 3339) by
 * namespace, and under {@link RENEW_ALL} one for all.
 */
export const RENEWALS_CONFIG_MAP = 'autocert-renewals';

/** Key of {@link RENEWALS_CONFIG_MAP} that stands for all namespaces; no namespace can have this name. */
export const RENEW_ALL = '_all';
