/**
 * Theft of names: every spelling, and every object that a pod comes from.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation } from '../../../runtime/contract.ts';
import type { Pod } from '../../../scripts/cluster/kubectl.ts';
import { podTemplate } from '../../../scripts/cluster/workloads.ts';
import { SYSTEM } from '../context.ts';
import type { Attack, Defence } from './attack.ts';
import { ATTACK_NAMESPACES, firstLine, type Lab, ownName, VICTIMS_NAME } from './lab.ts';

const { tenant: TENANT, victim: VICTIM } = ATTACK_NAMESPACES;
const REFUSED = 'refused at admission';
/** Metric of the API server that counts what an admission policy refuses. */
const POLICY_METRIC =
  'apiserver_validating_admission_policy_check_total\\{.*enforcement_action="deny".*policy="autocert"';

const SPELLINGS: readonly (readonly [id: string, what: string, name: string])[] = [
  ['victim', "the neighbour's name", VICTIMS_NAME],
  ['victim-short', "the neighbour's name as <service>.<namespace>", `pay.${VICTIM}`],
  ['victim-upper-case', "the neighbour's name in upper case", VICTIMS_NAME.toUpperCase()],
  ['victim-trailing-dot', "the neighbour's name with a dot at its end", `${VICTIMS_NAME}.`],
  ['victim-homoglyph', "the neighbour's name with a Cyrillic letter", VICTIMS_NAME.replace('a', '\u0430')],
  ['victim-full-stop', 'the neighbour’s name with an ideographic full stop', VICTIMS_NAME.replace('.', '\u3002')],
  ['victim-null', 'an own name, a NUL and the neighbour’s', `${VICTIMS_NAME}\u0000.${ownName('x')}`],
  ['victim-comma', "the neighbour's name after a comma", `${ownName('web')},${VICTIMS_NAME}`],
  ['victim-in-front', "the neighbour's namespace with the own one behind it as a label", `x.${TENANT}.${VICTIM}.svc`],
  ['wildcard-svc', 'a wildcard over all namespaces', '*.*.svc'],
  ['wildcard-domain', 'a wildcard over the cluster domain', '*.svc.cluster.local'],
  ['wildcard-all', 'the wildcard for everything', '*'],
  ['ca-host', "the CA's host", `ca.${SYSTEM}.svc`],
  ['autocert-host', "the webhook's host", `autocert.${SYSTEM}.svc`],
  ['api-server', "the API server's name", 'kubernetes.default.svc'],
  ['api-server-long', "the API server's name in full", 'kubernetes.default.svc.cluster.local'],
  ['address', "the API server's address", '198.19.0.1'],
  ['address-octal', 'an address with leading zeros', '010.0.0.1'],
  ['uri', "a SPIFFE ID of the neighbour's", `spiffe://cluster.local/ns/${VICTIM}/sa/default`],
  ['bare-word', 'a name of one label', 'kubernetes'],
  ['public', "somebody else's name on the Internet", 'www.example.com'],
];

/** By name, and among the SANs behind a name of its own. */
const bySpelling: readonly Attack[] = SPELLINGS.map(([id, what, name]) => ({
  id: `name-${id}`,
  name: `asks for ${what}, as name and among sans of a Pod`,
  who: 'tenant',
  expected: REFUSED,
  run: async (lab) => {
    const since = new Date();
    const wishes = [
      { [Annotation.name]: name },
      { [Annotation.name]: ownName('web'), [Annotation.sans]: `${ownName('web')},${name}` },
    ];
    let happened = '';
    for (const annotations of wishes) {
      const pod = lab.unique('spelling');
      const { code, stderr } = await lab.create(lab.tenant, lab.pod(pod, annotations));
      assert.notEqual(code, 0, `${name} was admitted`);
      assert.match(stderr, /admission webhook "[^"]+" denied the request/);
      happened = `refused: ${firstLine(stderr)}`;
    }
    return { happened, trace: await lab.log('autocert', /"result":"denied".*"msg":"admission"/, since) };
  },
}));

const template = (annotations: Readonly<Record<string, string>>, change: object = {}) => {
  const { metadata, spec } = podTemplate('thief', { annotations });
  return { metadata, spec: { ...spec, ...change } };
};

/** What makes pods: path of its template differs, what must come of it does not. */
function workload(kind: string, name: string, annotations: Readonly<Record<string, string>>): object {
  const metadata = { name, namespace: TENANT };
  const selector = { matchLabels: { app: 'thief' } };
  const once = template(annotations, { restartPolicy: 'Never' });
  switch (kind) {
    case 'Job':
      return { apiVersion: 'batch/v1', kind, metadata, spec: { template: once } };
    case 'CronJob':
      return {
        apiVersion: 'batch/v1',
        kind,
        metadata,
        spec: { schedule: '* * * * *', jobTemplate: { spec: { template: once } } },
      };
    case 'StatefulSet':
      return {
        apiVersion: 'apps/v1',
        kind,
        metadata,
        spec: { serviceName: name, selector, template: template(annotations) },
      };
    case 'ReplicationController':
      return {
        apiVersion: 'v1',
        kind,
        metadata,
        spec: { replicas: 1, selector: { app: 'thief' }, template: template(annotations) },
      };
    case 'PodTemplate':
      return { apiVersion: 'v1', kind, metadata, template: template(annotations) };
    default:
      return { apiVersion: 'apps/v1', kind, metadata, spec: { selector, template: template(annotations) } };
  }
}

/** No pod of it ever is; where the object itself is taken, an Event says why it has none. */
async function refusedOrPodless(lab: Lab, kind: string, name: string): Promise<Defence> {
  const object = workload(kind, name, { [Annotation.name]: VICTIMS_NAME });
  const metric = new RegExp(`^${POLICY_METRIC}`);
  const before = await lab.apiMetric(metric);
  const { code, stderr } = await lab.create(lab.tenant, object);
  if (code !== 0) {
    assert.match(stderr, /ValidatingAdmissionPolicy 'autocert'/);
    const after = await lab.apiMetric(metric);
    assert(after > before, 'the API server counts the refusal');
    return {
      happened: `refused: ${firstLine(stderr)}`,
      trace: `API server: policy_check_total{policy="autocert"} +${after - before}`,
    };
  }
  const trace = await lab.event(TENANT, name, /FailedCreate.*may have|FailedCreate.*denied/);
  assert.equal((await lab.admin.pods(TENANT, 'app=thief')).length, 0);
  await lab.admin.run(['-n', TENANT, 'delete', kind.toLowerCase(), name, '--wait=false']);
  return { happened: 'it is taken, and none of its pods is', trace };
}

const byObject: readonly Attack[] = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicaSet',
  'ReplicationController',
].map((kind) => ({
  id: `object-${kind.toLowerCase()}`,
  name: `asks for the neighbour's name in the template of a ${kind}`,
  who: 'tenant',
  expected: 'refused, or none of its pods is',
  run: (lab) => refusedOrPodless(lab, kind, lab.unique('thief')),
}));

/** The rest. */
const others: readonly Attack[] = [
  {
    id: 'object-podtemplate',
    name: "keeps the neighbour's name in a PodTemplate and makes a pod of it",
    who: 'tenant',
    expected: REFUSED,
    run: async (lab) => {
      const name = lab.unique('thief');
      const annotations = { [Annotation.name]: VICTIMS_NAME };
      await lab.create(lab.tenant, workload('PodTemplate', name, annotations));
      return lab.denied(lab.pod(name, annotations));
    },
  },
  {
    id: 'update-template',
    name: "changes a Deployment of its own until it asks for the neighbour's name",
    who: 'tenant',
    expected: REFUSED,
    run: async (lab) => {
      const name = lab.unique('good');
      const good = workload('Deployment', name, { [Annotation.name]: ownName('good') }) as { spec: object };
      const { code } = await lab.create(lab.tenant, { ...good, spec: { ...good.spec, replicas: 0 } });
      assert.equal(code, 0, 'a good Deployment is taken');
      const patch = JSON.stringify({
        spec: { template: { metadata: { annotations: { [Annotation.name]: VICTIMS_NAME } } } },
      });
      const { result, trace } = await lab.counted(POLICY_METRIC, () =>
        lab.tenant.try(['-n', TENANT, 'patch', 'deployment', name, '--type=merge', '-p', patch]),
      );
      assert.notEqual(result.code, 0, 'it was changed');
      await lab.admin.run(['-n', TENANT, 'delete', 'deployment', name, '--wait=false']);
      return { happened: `refused: ${firstLine(result.stderr)}`, trace };
    },
  },
  {
    id: 'annotation-by-tenant',
    name: 'changes the annotation of a running pod to another name of its namespace',
    who: 'tenant',
    expected: 'refused: what was admitted stays',
    run: async (lab) => {
      const wish = `${Annotation.name}=${ownName('other')}`;
      return lab.forbidden(
        () => lab.tenant.try(['-n', TENANT, 'annotate', 'pod', 'foothold', wish, '--overwrite']),
        /cannot be changed|denied/,
      );
    },
  },
  {
    id: 'annotation-removed',
    name: 'takes the annotation off a running pod, to put another there',
    who: 'tenant',
    expected: 'refused: what was admitted stays',
    run: (lab) =>
      lab.forbidden(
        () => lab.tenant.try(['-n', TENANT, 'annotate', 'pod', 'foothold', `${Annotation.name}-`]),
        /cannot be changed|denied/,
      ),
  },
  {
    id: 'annotation-by-node',
    name: 'changes the annotation of a pod on it through pods/status',
    who: 'node',
    ownNode: true,
    expected: 'refused: what was admitted stays',
    run: async (lab) => {
      // By hand: kubectl would read pods/status first, which a node may not.
      const path = `/api/v1/namespaces/${TENANT}/pods/foothold`;
      const put = async () => {
        const { metadata, ...pod } = JSON.parse(await lab.node.run(['get', '--raw', path])) as Pod;
        const annotations = { ...metadata.annotations, [Annotation.name]: ownName('other') };
        const input = JSON.stringify({ ...pod, metadata: { ...metadata, annotations } });
        return lab.node.try(['replace', '--raw', `${path}/status`, '-f', '-'], { input });
      };
      return lab.forbidden(put, /cannot be changed/);
    },
  },
  {
    id: 'annotation-by-binding',
    name: 'binds a pod to a node by hand, and adds an annotation with the Binding',
    who: 'administrator',
    expected: 'refused: what was admitted stays',
    run: async (lab) => {
      const name = lab.unique('unbound');
      const { code, stderr } = await lab.create(lab.admin, lab.pod(name, {}, { spec: { schedulerName: 'nobody' } }));
      assert.equal(code, 0, stderr);
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, annotations: { [Annotation.name]: ownName('other') } },
        target: { apiVersion: 'v1', kind: 'Node', name: 'node0' },
      };
      const path = `/api/v1/namespaces/${TENANT}/pods/${name}/binding`;
      const input = JSON.stringify(binding);
      const defence = await lab.forbidden(
        () => lab.admin.try(['create', '--raw', path, '-f', '-'], { input }),
        /cannot be changed|denied/,
      );
      await lab.remove(name);
      return defence;
    },
  },
  {
    id: 'own-container',
    name: 'brings a container of its own by the name of the agent',
    who: 'tenant',
    expected: REFUSED,
    run: async (lab) => {
      const name = lab.unique('impostor');
      const [main] = podTemplate(name).spec.containers;
      const containers = [main, { ...main, name: 'autocert-renewer' }];
      return lab.denied(lab.pod(name, { [Annotation.name]: ownName(name) }, { spec: { containers } }));
    },
  },
  {
    id: 'own-volume',
    name: 'brings a volume of its own by the name of the files’, mounted where they are, spelt with a detour',
    who: 'tenant',
    expected: REFUSED,
    run: async (lab) => {
      const name = lab.unique('impostor');
      const spec = { volumes: [{ name: 'mine', emptyDir: {} }] };
      const container = { volumeMounts: [{ name: 'mine', mountPath: '/var/run//x/../autocert.step.sm/' }] };
      const annotations = { [Annotation.name]: ownName(name) };
      return lab.denied(lab.pod(name, annotations, { spec, container }));
    },
  },
  {
    id: 'mirror-pod',
    name: 'makes a pod that says of itself that it mirrors a static pod',
    who: 'tenant',
    expected: 'no certificate',
    run: async (lab) => {
      const name = lab.unique('mirror');
      const annotations = { [Annotation.name]: ownName(name), 'kubernetes.io/config.mirror': 'x' };
      const { code, stderr } = await lab.create(lab.tenant, lab.pod(name, annotations));
      if (code !== 0) {
        const { trace } = await lab.counted('apiserver_request_total\\{code="4', () =>
          lab.create(lab.tenant, lab.pod(name, annotations)),
        );
        return { happened: `refused: ${firstLine(stderr)}`, trace };
      }
      const trace = await lab.event(TENANT, name, /mirror/i);
      await lab.remove(name);
      return { happened: 'admitted, and given no certificate', trace };
    },
  },
  {
    id: 'ephemeral-container',
    name: 'reads the files of its own pod by an ephemeral container',
    who: 'tenant',
    expected: "its own pod's files, and no others: whoever may attach to a pod has what the pod has",
    run: async (lab) => {
      const ephemeral = {
        name: lab.unique('debug'),
        image: 'alpine',
        imagePullPolicy: 'IfNotPresent',
        command: ['/bin/sh', '-c', 'cat /f/site.crt; sleep 60'],
        volumeMounts: [{ name: 'autocert-certs', mountPath: '/f' }],
      };
      const patch = JSON.stringify({ spec: { ephemeralContainers: [ephemeral] } });
      const patched = (kubectl: typeof lab.tenant, pod: string, namespace: string) =>
        kubectl.try([
          '-n',
          namespace,
          'patch',
          'pod',
          pod,
          '--subresource=ephemeralcontainers',
          '--type=strategic',
          '-p',
          patch,
        ]);
      const foreign = await lab.forbidden(() => patched(lab.tenant, 'pay', VICTIM));
      const own = await patched(lab.tenant, 'foothold', TENANT);
      const { spec } = await lab.admin.json<Pod>(['-n', TENANT, 'get', 'pod', 'foothold']);
      const known = spec.ephemeralContainers?.some(({ name }) => name === ephemeral.name) === true;
      assert.equal(own.code === 0, known, 'the pod tells of its ephemeral containers');
      const happened =
        own.code === 0 ? 'its own files are read; the neighbour’s pod is closed' : `refused: ${firstLine(own.stderr)}`;
      return {
        happened,
        trace: known ? `pod: spec.ephemeralContainers has ${ephemeral.name}; ${foreign.trace}` : foreign.trace,
      };
    },
  },
  {
    id: 'host-path',
    name: "reads kubelet's copy of the neighbour's files by hostPath, and on the host's network",
    who: 'tenant',
    expected: 'refused by Pod Security, which namespaces of tenants must have',
    run: async (lab) => {
      const spec = { volumes: [{ name: 'pods', hostPath: { path: '/var/lib/kubelet/pods' } }], hostNetwork: true };
      return lab.forbidden(
        () => lab.create(lab.tenant, lab.pod(lab.unique('host'), {}, { spec })),
        /violates PodSecurity/,
      );
    },
  },
  {
    id: 'label-by-tenant',
    name: 'labels another namespace, and takes the label off its own',
    who: 'tenant',
    expected: 'refused: namespaces are not the tenant’s',
    run: async (lab) => {
      await lab.forbidden(() =>
        lab.tenant.try(['label', 'namespace', ATTACK_NAMESPACES.bare, 'autocert.step.sm=enabled']),
      );
      return lab.forbidden(() => lab.tenant.try(['label', 'namespace', TENANT, 'autocert.step.sm-']));
    },
  },
];

/** All of them. */
export const nameAttacks: readonly Attack[] = [...bySpelling, ...byObject, ...others];
