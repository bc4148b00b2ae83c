/**
 * Pods that both injectors have to treat alike, in one namespace: what is admitted must be the same pod byte for byte,
 * what is refused must be refused by both.
 * @module
 */
import { Annotation, CERTIFICATE_DIR } from '../../runtime/contract.ts';
import { type PodOptions, testPod } from '../../scripts/cluster/workloads.ts';

/** A row; the name of the pod is its number. */
export interface Row {
  readonly title: string;
  readonly refused: boolean;
  readonly pod: object;
}

type Annotations = Partial<Record<keyof typeof Annotation, string>>;

const MOUNT = { name: 'own', mountPath: '/own' };
const OWN_VOLUME = { name: 'own', emptyDir: {} };

/** The rows, their names those of `namespace`. */
export function podTable(namespace: string): readonly Row[] {
  const name = `cart.${namespace}.svc`;
  const rows: Row[] = [];
  const add =
    (refused: boolean) =>
    (title: string, annotations: Annotations, pod: PodOptions = {}) => {
      const asked = { name, delivery: 'native', ...annotations };
      const keyed = Object.entries(asked).map(([key, text]) => [Annotation[key as keyof Annotations], text] as const);
      const options = { ...pod, annotations: Object.fromEntries(keyed) };
      rows.push({ title, refused, pod: testPod(namespace, `row-${rows.length}`, options) });
    };

  const admitted = add(false);
  admitted('a plain pod', {});
  admitted(
    'volumes and mounts of its own',
    {},
    { spec: { volumes: [OWN_VOLUME] }, container: { volumeMounts: [MOUNT] } },
  );
  admitted('empty lists', {}, { spec: { volumes: [] }, container: { volumeMounts: [] } });
  admitted('no service account token', {}, { spec: { automountServiceAccountToken: false } });
  admitted('init containers, one of them a sidecar', {}, { spec: { initContainers: [init('one'), sidecar('two')] } });
  admitted('a mode', { mode: '0600' });
  admitted('a mode of three digits', { mode: '440' });
  admitted('the shortest lifetime', { duration: '1h' });
  admitted('a lifetime in parts', { duration: '1h30m' });
  admitted('a lifetime whose units are not in order', { duration: '30m1h' });
  admitted('a name longer than a common name may be', { name: `${'a'.repeat(60)}.${namespace}.svc` });
  admitted('a lifetime with a fraction', { duration: '1.5h' });
  admitted('a lifetime that is no whole second', { duration: '3600.9s' });
  admitted('an owner that the pod runs as', { owner: '999:1' }, { spec: { securityContext: { runAsUser: 999 } } });
  admitted(
    'an owner that is the fsGroup',
    { owner: '5:7', mode: '0640' },
    { spec: { securityContext: { fsGroup: 7 } } },
  );
  admitted('what a sidecar needs', { initFirst: 'true', bootstrapperOnly: 'false' });
  admitted('empty annotations', { sans: ' ', duration: '', mode: '', owner: '' });
  admitted('sans', { sans: `${name}, a.b.${namespace}.svc.cluster.local,*.${namespace}.svc,cart.${namespace}` });
  admitted('nothing asked for', { name: '' });
  admitted('injected already', { status: 'injected' });

  const refused = add(true);
  refused("another namespace's name", { name: 'pay.bank.svc' });
  refused("another namespace's name among the sans", { sans: `${name},autocert.step.svc` });
  for (const wrong of [
    'Cart.NS.svc',
    'cart.NS.svc.',
    'NS.svc',
    'xNS.svc',
    'a.NS.svcx',
    '*',
    'a..NS.svc',
    'a_b.NS.svc',
  ]) {
    refused(`the name ${wrong}`, { name: wrong.replace('NS', namespace) });
  }
  refused('a name with a line break', { name: `${name}\n` });
  refused('an address', { sans: '10.2.0.1' });
  refused('a URI', { sans: 'spiffe://example.com/shop' });
  refused('65 sans', { sans: Array.from({ length: 65 }, (_, i) => `a${i}.${namespace}.svc`).join() });
  refused('9,000 sans', { sans: Array.from({ length: 9000 }, (_, i) => `a${i}.${namespace}.svc`).join() });
  refused('a san twice', { sans: `${name},${name}` });
  for (const duration of ['5 parsecs', '1m', '30m', '9000h', '-2h', '999999h999999h']) {
    refused(`the lifetime ${duration}`, { duration });
  }
  for (const mode of ['999', '0044', 'rw']) refused(`the mode ${mode}`, { mode });
  refused('a mode that fsGroup does not allow', { mode: '0600' }, { spec: { securityContext: { fsGroup: 7 } } });
  refused('a mode that runAsUser does not allow', { mode: '0640' }, { spec: { securityContext: { runAsUser: 7 } } });
  refused('an owner that is none', { owner: 'root' });
  refused('an owner that nobody is', { owner: '5:6' });
  refused('neither true nor false', { initFirst: 'yes' });
  refused('an unknown delivery', { delivery: 'pigeon' });
  refused('a volume of our name', {}, { spec: { volumes: [{ name: 'autocert-certs', emptyDir: {} }] } });
  for (const mountPath of [CERTIFICATE_DIR, `${CERTIFICATE_DIR}/below`]) {
    const container = { volumeMounts: [{ name: 'own', mountPath }] };
    refused(`a mount at ${mountPath}`, {}, { spec: { volumes: [OWN_VOLUME] }, container });
  }
  refused('a container of our name', {}, { spec: { initContainers: [init('autocert-renewer')] } });
  return rows;
}

function init(name: string): object {
  return { name, image: 'alpine', imagePullPolicy: 'IfNotPresent', command: ['true'] };
}

function sidecar(name: string): object {
  return { ...init(name), command: ['sleep', '3600'], restartPolicy: 'Always' };
}
