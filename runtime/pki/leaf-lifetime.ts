/**
 * How long certificates of the CA may last, by its configuration.
 * @module
 */
import { CaConfigFile } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { isRecord } from '../lib/validator.ts';
import { parseDuration } from '../policy/duration.ts';
import { POD_CERTIFICATE } from '../policy/lifetimes.ts';
import { type CaTemplate, TEMPLATE } from '../step-ca/ca-config.ts';
import type { ClusterObjects, ClusterPort } from './cluster-objects.ts';
import type { ObjectNames, StoredObjects } from './cluster-pki.ts';
import { provisionersIn } from './provisioner-list.ts';

/** What step-ca goes by where its configuration says nothing. */
const STEP_CA_DEFAULT_MS = 24 * 3_600_000;

/**
 * The longest lifetime, milliseconds: of the CA's claims and of those of each provisioner. Where the configuration cannot
 * be found or read, the longest that a pod's certificate may have.
 */
export async function longestLifetimeMs(
  api: ClusterPort,
  objects: ClusterObjects,
  stored: StoredObjects,
): Promise<number> {
  const path = `/api/v1/namespaces/${encodeURIComponent(objects.namespace)}/configmaps/${CaConfigFile.configMap}`;
  const found = await ifFound(api.get<{ data?: Readonly<Record<string, string>> }>(path));
  try {
    const { authority, provisioners } = configured(found?.data?.[CaConfigFile.template] ?? '', objects, stored);
    const own = longestOf(authority) ?? STEP_CA_DEFAULT_MS;
    return Math.max(own, ...provisioners.map((provisioner) => longestOf(provisioner) ?? own));
  } catch {
    return POD_CERTIFICATE.mostMs;
  }
}

function configured(template: string, objects: ObjectNames, stored: StoredObjects) {
  const config: unknown = JSON.parse(template);
  TEMPLATE(config);
  const { authority } = config as CaTemplate;
  const secret = stored.get('provisioners');
  const more = secret ? provisionersIn(secret.files, objects) : [];
  return { authority, provisioners: [...(authority?.provisioners ?? []), ...more] };
}

function longestOf(holder: unknown): number | undefined {
  const { maxTLSCertDuration: text } = isRecord(holder) && isRecord(holder.claims) ? holder.claims : {};
  if (typeof text !== 'string') return undefined;
  try {
    return parseDuration(text);
  } catch {
    return POD_CERTIFICATE.mostMs;
  }
}
