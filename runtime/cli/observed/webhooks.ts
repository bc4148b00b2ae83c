/**
 * Webhooks that are asked about pods, everybody's, and which of them is this installation's.
 * @module
 */
import type {
  V1LabelSelector,
  V1MutatingWebhook,
  V1MutatingWebhookConfiguration,
  V1ValidatingWebhook,
} from '@kubernetes/client-node';
import { DOMAIN, type NamespaceLabel, type PolicyConfig } from '../../contract.ts';
import { clusterName } from '../../policy/cluster-names.ts';
import { labelOf, selectedLabel } from '../../policy/namespace-label.ts';
import type { Look } from './look.ts';

/** One webhook of a configuration. */
export interface RegisteredWebhook {
  readonly kind: 'mutatingwebhookconfiguration' | 'validatingwebhookconfiguration';
  readonly configuration: string;
  readonly name: string;
  readonly refusesOnFailure: boolean;
  /** Whether it is asked when pods are created. */
  readonly asksForPods: boolean;
  readonly namespaceSelector?: V1LabelSelector | undefined;
  readonly objectSelector?: V1LabelSelector | undefined;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly port: number;
    readonly path: string;
  };
  /** PEM text. */
  readonly caBundle: string;
}

/** What is registered, and by what this installation is told from others. */
export interface Registrations {
  /** `undefined`: nobody could look. */
  readonly webhooks: readonly RegisteredWebhook[] | undefined;
  readonly namespace: string;
  readonly configuration: { readonly config?: Pick<PolicyConfig, 'namespaceLabel'> | undefined };
}

const GROUP = '/apis/admissionregistration.k8s.io/v1';
/** Configurations, and webhooks in them, that are looked at. */
const MAX = { configurations: 500, webhooks: 1_000 } as const;

/** All that are asked when pods are created. */
export async function readWebhooks(look: Look): Promise<readonly RegisteredWebhook[] | undefined> {
  const kinds = ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration'] as const;
  const found = await Promise.all(
    kinds.map((kind) =>
      look.list(
        `${GROUP}/${kind}s`,
        `${kind}s`,
        MAX.configurations,
        ({ metadata, webhooks = [] }: V1MutatingWebhookConfiguration) =>
          webhooks.map((webhook) => registered(kind, metadata?.name ?? '', webhook)),
      ),
    ),
  );
  const [mutating, validating] = found;
  // Without the mutating ones Autocert's own would seem to be missing.
  return mutating && [...mutating, ...(validating ?? [])].flat().slice(0, MAX.webhooks);
}

function registered(
  kind: RegisteredWebhook['kind'],
  configuration: string,
  { name, failurePolicy = 'Fail', rules = [], clientConfig, ...selectors }: V1MutatingWebhook | V1ValidatingWebhook,
): RegisteredWebhook {
  const has = (list: readonly string[] | undefined, ...words: string[]) =>
    list?.some((one) => words.includes(one)) === true;
  const { service, caBundle = '' } = clientConfig;
  return {
    kind,
    configuration,
    name,
    refusesOnFailure: failurePolicy === 'Fail',
    asksForPods: rules.some(
      ({ apiGroups, resources, operations }) =>
        has(apiGroups, '', '*') && has(resources, 'pods', '*', '*/*') && has(operations, 'CREATE', '*'),
    ),
    namespaceSelector: selectors.namespaceSelector,
    objectSelector: selectors.objectSelector,
    caBundle: Buffer.from(caBundle, 'base64').toString(),
    ...(service && {
      service: {
        namespace: service.namespace,
        name: service.name,
        port: service.port ?? 443,
        path: service.path ?? '/',
      },
    }),
  };
}

/** The webhook of this installation in the API server's registration. */
export function ownWebhook({ webhooks, namespace }: Registrations): RegisteredWebhook | undefined {
  return webhooks?.find((one) => one.name === DOMAIN && isOfInstallation(one, namespace));
}

/** Whether a registration is the one that the manifests of Autocert in `namespace` make. */
export function isOfInstallation({ kind, configuration, service }: RegisteredWebhook, namespace: string): boolean {
  const isHere = service === undefined || service.namespace === namespace;
  return kind === 'mutatingwebhookconfiguration' && configuration === clusterName('autocert', namespace) && isHere;
}

/**
 * The label of namespaces that turns this installation on: by its configuration, or by its registration where that cannot be
 * read; the usual one, where nobody can tell.
 */
export function ownLabel(known: Registrations): NamespaceLabel {
  const { config } = known.configuration;
  if (config) return labelOf(config);
  return selectedLabel(ownWebhook(known)?.namespaceSelector) ?? labelOf({});
}
