/**
 * The Service of the CA: inside of the cluster, or by a load balancer for whoever is outside.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { CONTAINER_PORT } from '../runtime/contract.ts';
import { checkAnnotations } from './labels.ts';
import { checkCidr, checkSome } from './network-peers.ts';
import { defined, metadata } from './objects.ts';
import { checkFields, checkOneOf, checkOptional, checkString, refuse } from './validation.ts';

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer'] as const;
const POLICIES = ['Cluster', 'Local'] as const;

/** The Service by which the CA is reached, in the words of the Kubernetes API. */
export interface CaServiceOptions {
  /** `ClusterIP`: from inside of the cluster; `NodePort`: by each node, too; `LoadBalancer`. @default 'ClusterIP' */
  readonly type?: (typeof TYPES)[number];
  /** Annotations, by which a cloud makes its load balancer and ExternalDNS its name. @default - none */
  readonly annotations?: Readonly<Record<string, string>>;
  /**
   * `Local`: the CA sees the addresses of its clients; `Cluster`: those of nodes. Of the two outer types.
   * @default - the cluster's own, `Cluster`
   */
  readonly externalTrafficPolicy?: (typeof POLICIES)[number];
  /** Blocks of addresses that the load balancer lets in. @default - any address */
  readonly loadBalancerSourceRanges?: readonly string[];
  /** Which of several load balancers, such as `service.k8s.aws/nlb`; it cannot be changed later. @default - the cluster's usual one */
  readonly loadBalancerClass?: string;
}

const FIELDS = [
  'type',
  'annotations',
  'externalTrafficPolicy',
  'loadBalancerSourceRanges',
  'loadBalancerClass',
] as const satisfies readonly (keyof CaServiceOptions)[];

const checkClass = checkString(
  'it takes the name of a class, such as "service.k8s.aws/nlb"',
  /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
);

/** Checks the options. What the API server would refuse with this type is refused here. */
export function checkService(prop: string, value: unknown): CaServiceOptions {
  const given = checkFields(prop, value, FIELDS);
  const at = (field: keyof CaServiceOptions) => `${prop}.${field}`;
  const type = checkOptional(at('type'), given.type, (of, word) => checkOneOf(of, word, TYPES));
  const only = (field: keyof CaServiceOptions, ...types: readonly string[]) => {
    if (given[field] === undefined || types.includes(type ?? 'ClusterIP')) return;
    refuse(at(field), given[field], `it takes ${at('type')} ${types.map((one) => `"${one}"`).join(' or ')}`);
  };
  only('externalTrafficPolicy', 'NodePort', 'LoadBalancer');
  only('loadBalancerSourceRanges', 'LoadBalancer');
  only('loadBalancerClass', 'LoadBalancer');
  const { externalTrafficPolicy, loadBalancerSourceRanges, loadBalancerClass } = given;
  const policy = (of: string, word: unknown) => checkOneOf(of, word, POLICIES);
  const blocks = (of: string, list: unknown) => checkSome(of, list, checkCidr);
  return defined({
    type,
    annotations: checkOptional(at('annotations'), given.annotations, checkAnnotations),
    externalTrafficPolicy: checkOptional(at('externalTrafficPolicy'), externalTrafficPolicy, policy),
    loadBalancerSourceRanges: checkOptional(at('loadBalancerSourceRanges'), loadBalancerSourceRanges, blocks),
    loadBalancerClass: checkOptional(at('loadBalancerClass'), loadBalancerClass, checkClass),
  });
}

/** Whether it is reached from outside of the cluster. */
export function isOuter({ type }: CaServiceOptions): boolean {
  return type === 'LoadBalancer' || type === 'NodePort';
}

/** Makes the Service `name`, whose pods have that as their label `app`. */
export function addCaService(scope: Construct, name: string, namespace: string, options: CaServiceOptions): void {
  const { annotations = {}, loadBalancerSourceRanges: ranges, ...spec } = options;
  new k8s.KubeService(scope, 'Service', {
    metadata: {
      ...metadata(name, namespace, { app: name }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      ...spec,
      ...(ranges && { loadBalancerSourceRanges: [...ranges] }),
      selector: { app: name },
      ports: [{ name: 'https', port: 443, targetPort: k8s.IntOrString.fromNumber(CONTAINER_PORT) }],
    },
  });
}
