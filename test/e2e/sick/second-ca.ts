/**
 * A second CA for steps 26.x, a copy of the first on a volume of a mebibyte: its volume is filled, its password changed, its
 * root replaced by one that has expired, which the first must not suffer.
 * @module
 */
import { PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { issue } from '../../support/tiny-ca.ts';
import { type Context, SYSTEM } from '../context.ts';
import { type Breakage, DOCTOR_NAMESPACES, type Mend } from './breakages.ts';
import { type Copy, copyOf } from './objects.ts';

const { ca: NAMESPACE } = DOCTOR_NAMESPACES;
const COPIED = [
  'serviceaccount/ca',
  'configmap/ca-config',
  `configmap/${PkiObject.certificates}`,
  `secret/${PkiObject.intermediateKey}`,
  `secret/${PkiObject.provisioners}`,
  `secret/${PkiObject.caPassword}`,
];
const FILLER = '/home/step/.step/db/filler';
const VOLUME = { name: 'db', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } };
const DAY_MS = 24 * 3_600_000;

interface PodSpec {
  readonly volumes: readonly { readonly name: string }[];
}

interface Workload extends Copy {
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

/** In this order: each goes on from the one before. */
export function secondCaBreakages({ kubectl, native }: Context): readonly Breakage[] {
  const nothing: Mend = async () => undefined;
  const here = (copy: Copy): Copy => ({ ...copy, metadata: { ...copy.metadata, namespace: NAMESPACE } });
  const deploy = async () => {
    const copies = await Promise.all(COPIED.map((which) => copyOf(kubectl, ['-n', SYSTEM, which])));
    const set = (await copyOf(kubectl, ['-n', SYSTEM, 'statefulset/ca'])) as Workload;
    const { template } = set.spec;
    const volumes = template.spec.volumes.map((volume) => (volume.name === VOLUME.name ? VOLUME : volume));
    const spec = { ...set.spec, template: { ...template, spec: { ...template.spec, volumes } } };
    await kubectl.apply([...copies, await configuration({}), { ...set, spec }].map((one) => here(one as Copy)));
    await kubectl.ready(NAMESPACE, 'app=ca');
  };
  const configuration = async (settings: object): Promise<Copy> => {
    const copy = await copyOf(kubectl, ['-n', SYSTEM, 'configmap/autocert-config']);
    const { 'config.json': json } = copy.data as { 'config.json': string };
    const caUrl = `https://ca.${NAMESPACE}.svc`;
    const config = { ...JSON.parse(json), namespace: NAMESPACE, caUrl, excludedNamespaces: [], ...settings };
    return here({ ...copy, data: { 'config.json': JSON.stringify(config) } });
  };
  const changed = async (object: string, change: object): Promise<Mend> => {
    await kubectl.run(['-n', NAMESPACE, 'patch', object, '--type=merge', '-p', JSON.stringify(change)]);
    return nothing;
  };
  return [
    {
      name: "the CA's volume is full",
      check: 'ca-volume',
      object: /^persistentvolumeclaim\/ca-db$/,
      namespace: NAMESPACE,
      break: async () => {
        await deploy();
        const fill = ['/bin/busybox', 'dd', 'if=/dev/zero', `of=${FILLER}`, 'bs=4k'];
        await kubectl.try(['-n', NAMESPACE, 'exec', 'ca-0', '-c', 'supervisor', '--', ...fill]); // ends when it is full
        return () => kubectl.exec(NAMESPACE, 'ca-0', 'supervisor', ['/bin/busybox', 'rm', FILLER]);
      },
    },
    {
      name: "the password does not open the CA's key",
      check: 'password',
      object: /^secret\/ca-password$/,
      namespace: NAMESPACE,
      break: async () => {
        const data = { [PkiFile.password]: Buffer.from('wrong').toString('base64') };
        await changed(`secret/${PkiObject.caPassword}`, { data });
        await kubectl.killPods(await kubectl.pods(NAMESPACE, 'app=ca'));
        return nothing;
      },
    },
    {
      name: 'the root has expired',
      check: 'expiry',
      object: /^configmap\/ca-certs$/,
      namespace: NAMESPACE,
      break: () => {
        const [notBefore, notAfter] = [new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - DAY_MS)];
        const { certificatePem } = issue('Expired Root CA', { ca: true, notBefore, notAfter });
        return changed(`configmap/${PkiObject.certificates}`, { data: { [PkiFile.root]: certificatePem } });
      },
    },
    ...(native
      ? []
      : [
          {
            name: 'native delivery is configured, and the API server does not serve it',
            check: 'api',
            object: /^api\/certificates\.k8s\.io\/v1$/,
            namespace: NAMESPACE,
            break: async () => {
              await kubectl.apply([await configuration({ delivery: 'native' })]);
              return nothing;
            },
          },
        ]),
  ];
}
