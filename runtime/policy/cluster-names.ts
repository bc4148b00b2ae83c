/**
 * Names that a whole cluster shares. An installation in the usual namespace has the plain ones; in another it has its
 * namespace behind them, so that several live in one cluster. A namespace has no dot in its name, and no plain name has
 * one: none of them can be another's.
 * @module
 */
import { SIGNER_NAME } from '../contract.ts';

/** The namespace whose installation has the plain names. */
export const USUAL_NAMESPACE = 'step';

/** Name of an object that is in no namespace, such as the webhook's registration. */
export function clusterName(name: string, namespace: string): string {
  return namespace === USUAL_NAMESPACE ? name : `${name}.${namespace}`;
}

/** The signer of native delivery: `spec.signerName` of `PodCertificateRequest` and `ClusterTrustBundle`. */
export function signerName(namespace: string): string {
  return clusterName(SIGNER_NAME, namespace);
}

/** The namespace of the installation whose signer this is; `undefined`: it is none of Autocert's. */
export function namespaceOfSigner(name: string): string | undefined {
  if (name === SIGNER_NAME) return USUAL_NAMESPACE;
  return name.startsWith(`${SIGNER_NAME}.`) ? name.slice(SIGNER_NAME.length + 1) : undefined;
}

/** The `ClusterTrustBundle` with the CA's roots; the API wants the signer's name in front. */
export function trustBundleName(namespace: string): string {
  return `${signerName(namespace).replace('/', ':')}:root`;
}
