/**
 * Objects deleted, emptied and put back: copies of objects, and the faults of the ConfigMaps and Secrets that the parts
 * mount. The pod that mounts one is killed with it, which is the worst moment.
 * @module
 */
import { ALLOW_DELETION, PkiObject } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import type { KubernetesObject } from '../../../scripts/cluster/kubectl.ts';
import type { Course, Fault } from './fault.ts';
import type { Lab, Part } from './lab.ts';

/** An object as it can be made again: what a backup has of it. */
export interface Copy {
  readonly metadata: object;
  readonly data?: Readonly<Record<string, string>>;
}

/** Takes a copy. @param which as kubectl has it: `secret/name`, with `-n` where there is a namespace */
export async function copyOf(lab: Lab, which: readonly string[]): Promise<Copy> {
  const { metadata, ...rest } = await lab.kubectl.json<KubernetesObject & Copy>(['get', ...which]);
  const { uid: _, resourceVersion: __, creationTimestamp: ___, managedFields: ____, ...own } = metadata;
  return { ...rest, metadata: own };
}

/** Deletes an object, if it is there: also one that is guarded, as somebody does who has been told how. */
async function remove({ kubectl }: Lab, which: readonly string[]): Promise<void> {
  await kubectl.try(['annotate', ...which, `${ALLOW_DELETION}=true`]);
  await kubectl.run(['delete', ...which, '--ignore-not-found']);
}

/** Makes the object again from its copy, whatever has become of it. */
export async function putBack(lab: Lab, which: readonly string[], copy: object): Promise<void> {
  await remove(lab, which);
  await lab.kubectl.run(['create', '-f', '-'], { input: JSON.stringify(copy) });
}

/** Deletes an object until the fault is ended. */
export async function withoutObject(lab: Lab, which: readonly string[]): Promise<Course> {
  const copy = await copyOf(lab, which);
  await remove(lab, which);
  return { end: () => putBack(lab, which, copy) };
}

/** What the parts mount, and which do. The root's key is mounted by none. */
const MOUNTED: readonly (readonly [object: string, by: readonly Part[]])[] = [
  [`configmap/${PkiObject.certificates}`, ['ca', 'webhook', 'signer']],
  ['configmap/ca-config', ['ca']],
  [`secret/${PkiObject.intermediateKey}`, ['ca']],
  [`secret/${PkiObject.provisioners}`, ['ca']],
  [`secret/${PkiObject.caPassword}`, ['ca']],
  [`secret/${PkiObject.autocertPassword}`, ['webhook', 'signer']],
  ['configmap/autocert-config', ['webhook']],
  ['configmap/autocert-signer-config', ['signer']],
];

const TITLE = { configmap: 'ConfigMap', secret: 'Secret' } as const;
const PART = { ca: 'the CA', webhook: 'a webhook', signer: 'a signer' } as const;

/** The faults. */
export const objectFaults: readonly Fault[] = [
  ...MOUNTED.flatMap(([object, by]): Fault[] => {
    const [kind = '', name = ''] = object.split('/');
    const title = `${TITLE[kind as keyof typeof TITLE]} \`${name}\``;
    const which = ['-n', SYSTEM, object];
    const killed = by.map((part) => PART[part]).join(' and ');
    const killMounting = async (lab: Lab) => {
      for (const part of by) await lab.kubectl.killPods((await lab.podsOf(part)).slice(0, 1));
    };
    const waits = by.includes('ca')
      ? 'New pods wait for the CA, which waits for the object.'
      : 'The other replica goes on; the killed one waits for the object.';
    return [
      {
        id: `${name}-deleted`,
        name: `${title} deleted and ${killed} killed; put back`,
        happens: waits,
        inject: async (lab) => {
          const course = await withoutObject(lab, which);
          await killMounting(lab);
          return course;
        },
      },
      {
        id: `${name}-emptied`,
        name: `${title} emptied and ${killed} killed; put back`,
        happens: by.includes('ca')
          ? 'New pods wait for the CA, which does not start with it.'
          : 'Running replicas keep what they have read; the killed one does not start with it.',
        inject: async (lab) => {
          const copy = await copyOf(lab, which);
          const data = Object.fromEntries(Object.keys(copy.data ?? {}).map((key) => [key, '']));
          await putBack(lab, which, { ...copy, data });
          await killMounting(lab);
          return { end: () => putBack(lab, which, copy) };
        },
      },
    ];
  }),
  {
    id: `${PkiObject.rootKey}-deleted`,
    name: `Secret \`${PkiObject.rootKey}\` deleted; put back`,
    happens: 'Nothing that runs has it.',
    inject: (lab) => withoutObject(lab, ['-n', SYSTEM, `secret/${PkiObject.rootKey}`]),
  },
];
