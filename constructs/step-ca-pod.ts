/**
 * The pod of step-ca.
 *
 * Its configuration is put together in the pod, in memory, from what was synthesized and from what exists in the cluster
 * only: provisioners, certificates, keys, passwords. A change of any of them reaches step-ca without a new pod, and no
 * Secret is ever rewritten.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { CaConfigFile, DOMAIN, PkiFile } from '../runtime/contract.ts';
import type { CaDatabase } from './ca-database.ts';
import { digest } from './objects.ts';
import type { Pki } from './pki.ts';
import {
  type ContainerImage,
  type ContainerResources,
  type PodProps,
  podDefaults,
  podMetadata,
  SECRET_MODE,
  spread,
} from './pods.ts';
import { caContainer, programsContainer, supervisorContainer } from './step-ca-containers.ts';

/** Name of StatefulSet, Service and ServiceAccount, and the label `app` of the pods. */
export const CA_NAME = 'ca';

/** Names of the CA's other objects; its ConfigMap is `CaConfigFile.configMap`. */
export const CaObject = {
  /** ConfigMap: roots of other PKIs. */
  federatedRoots: 'ca-federated-roots',
  /** PersistentVolumeClaim of the database. */
  volume: 'ca-db',
} as const;

/** The user `step` of the official image; the supervisor runs as the same, since they share files. */
const STEP_USER = 1000;

/** What the pod is made from. */
export interface StepCaPodInput extends PodProps {
  readonly image: ContainerImage;
  /** Image with our programs. */
  readonly autocertImage: ContainerImage;
  readonly resources: ContainerResources;
  /** Whether the platform says who the pod runs as. */
  readonly userFromPlatform: boolean;
  readonly pki: Pki;
  /** ConfigMaps whose files go to `certs/`. */
  readonly certificates: readonly string[];
  readonly database: CaDatabase;
  /** The supervisor's configuration: the pod is replaced when it changes, and for no other setting of step-ca. */
  readonly supervisor: object;
}

/** The pod template. */
export function stepCaPod(input: StepCaPodInput): k8s.PodTemplateSpec {
  const { image, autocertImage, resources, database } = input;
  return {
    metadata: podMetadata(
      {
        labels: { app: CA_NAME },
        annotations: {
          [`${DOMAIN}/config-checksum`]: digest(input.supervisor),
          'kubectl.kubernetes.io/default-container': 'step-ca',
        },
      },
      input,
    ),
    spec: {
      ...podDefaults(input.userFromPlatform ? undefined : STEP_USER, input),
      serviceAccountName: CA_NAME,
      topologySpreadConstraints: spread(CA_NAME),
      initContainers: [programsContainer(autocertImage)],
      containers: [caContainer(image, resources, database.shared), supervisorContainer(autocertImage, database.shared)],
      volumes: volumes(input),
    },
  };
}

function inMemory(name: string, size: string): k8s.Volume {
  return { name, emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString(size) } };
}

function volumes({ pki, certificates, database }: StepCaPodInput): k8s.Volume[] {
  const key = (name: string, item: string, optional?: true) => ({
    secret: { name, items: [{ key: item, path: item }], ...(optional && { optional }) },
  });
  const secrets = [
    key(pki.intermediateKeySecret, PkiFile.intermediateKey),
    // An existing PKI may have it in the ConfigMap alone.
    key(pki.intermediateKeySecret, PkiFile.intermediate, true),
    key(pki.passwordSecret, PkiFile.password),
    // There only while one password replaces the other.
    key(pki.passwordSecret, PkiFile.nextPassword, true),
  ];
  return [
    { name: 'certs', projected: { sources: certificates.map((name) => ({ configMap: { name } })) } },
    // A key in a KMS needs none.
    pki.kmsKey === undefined
      ? { name: 'secrets', projected: { defaultMode: SECRET_MODE, sources: secrets } }
      : { name: 'secrets', emptyDir: {} },
    { name: 'template', configMap: { name: CaConfigFile.configMap } },
    { name: 'provisioners', secret: { secretName: pki.provisionersSecret, defaultMode: SECRET_MODE } },
    inMemory('config', '4Mi'),
    inMemory('control', '1Mi'),
    inMemory('programs', '8Mi'),
    ...databaseVolumes(database),
  ];
}

function databaseVolumes({ kind }: CaDatabase): k8s.Volume[] {
  if (kind.type !== 'bbolt') {
    return [{ name: 'data-source', secret: { secretName: kind.dataSourceSecret, defaultMode: SECRET_MODE } }];
  }
  return [
    kind.volume === undefined
      ? { name: 'db', emptyDir: {} }
      : { name: 'db', persistentVolumeClaim: { claimName: CaObject.volume } },
    { name: 'scratch', emptyDir: { sizeLimit: k8s.Quantity.fromString('1Gi') } },
  ];
}
