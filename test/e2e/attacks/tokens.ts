/**
 * Attacks on the certificate endpoint by tokens and key requests, and rights that are kept after their end.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Annotation, AttestationToken, NAMESPACE_LABEL } from '../../../runtime/contract.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { podTemplate } from '../../../scripts/cluster/workloads.ts';
import { requestWithNames } from '../../support/certificate-requests.ts';
import type { Attack, Defence } from './attack.ts';
import { ATTACK_NAMESPACES, firstLine, type HttpAnswer, type Lab, ownName, VICTIMS_NAME } from './lab.ts';

const { tenant: TENANT, victim: VICTIM } = ATTACK_NAMESPACES;
const NO_CERTIFICATE = /"msg":"no certificate"/;
const SLOWLY = { timeoutMs: 120_000, everyMs: 1000 };

/** The endpoint refused, and its log says so. */
async function refused(
  lab: Lab,
  since: Date,
  { status, body }: HttpAnswer,
  statuses: readonly number[],
): Promise<Defence> {
  assert(statuses.includes(status), `answered ${status}: ${body.slice(0, 300)}`);
  return { happened: `${status}: ${messageIn(body)}`, trace: await lab.log('autocert', NO_CERTIFICATE, since) };
}

function messageIn(body: string): string {
  try {
    return (JSON.parse(body) as { error: { message: string } }).error.message.slice(0, 140);
  } catch {
    return body.slice(0, 140);
  }
}

/** A token by the tenant's own rights, as `kubectl create token` takes its words. */
async function tokenBy(lab: Lab, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.tenant.try(['-n', TENANT, 'create', 'token', ...args]);
  if (code === 0) return stdout.trim();
  // Role `edit` may not ask for tokens in every version; the administrator stands in, who may.
  assert.match(stderr, /[Ff]orbidden/);
  return (await lab.admin.run(['-n', TENANT, 'create', 'token', ...args])).trim();
}

const OURS = `--audience=${AttestationToken.audience}`;

/** A pod of the tenant's with a certificate, ready. */
async function readyPod(lab: Lab, prefix: string, change: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const name = lab.unique(prefix);
  const annotations = { [Annotation.name]: ownName(name), [Annotation.delivery]: 'sidecar' };
  const { code, stderr } = await lab.create(lab.admin, lab.pod(name, annotations, { spec: change }));
  assert.equal(code, 0, stderr);
  await lab.admin.ready(TENANT, `app=${name}`);
  return name;
}

const gone = (lab: Lab, pod: string) =>
  waitFor(`${pod} to go`, async () =>
    (await lab.admin.try(['-n', TENANT, 'get', 'pod', pod])).stderr.includes('NotFound'),
  );

const issuedTo = (answer: HttpAnswer) => {
  assert.equal(answer.status, 200, answer.body.slice(0, 300));
  return new X509Certificate((JSON.parse(answer.body) as { certificate: string }).certificate);
};

/** All of them. */
export const tokenAttacks: readonly Attack[] = [
  {
    id: 'token-none',
    name: 'asks the certificate endpoint without a token, and with garbage for one',
    who: 'pod',
    expected: '401',
    run: async (lab) => {
      const since = new Date();
      await refused(lab, since, await lab.ask(''), [401]);
      return refused(lab, since, await lab.ask('eyJhbGciOiJub25lIn0.e30.'), [401]);
    },
  },
  {
    id: 'token-unbound',
    name: 'requests a token with our audience for its service account, bound to no pod',
    who: 'tenant',
    expected: '401',
    run: async (lab) => {
      const since = new Date();
      return refused(lab, since, await lab.ask(await tokenBy(lab, ['default', OURS])), [401]);
    },
  },
  {
    id: 'token-audience',
    name: "shows its pod's usual token, which is for the API server",
    who: 'pod',
    expected: '401',
    run: async (lab) => {
      const since = new Date();
      const token = await tokenBy(lab, ['default', '--bound-object-kind=Pod', '--bound-object-name=foothold']);
      return refused(lab, since, await lab.ask(token), [401]);
    },
  },
  {
    id: 'token-of-neighbour',
    name: "requests a token for the neighbour's pod",
    who: 'tenant',
    expected: 'refused by RBAC: another namespace',
    run: (lab) =>
      lab.forbidden(() =>
        lab.tenant.try([
          '-n',
          VICTIM,
          'create',
          'token',
          'default',
          OURS,
          '--bound-object-kind=Pod',
          '--bound-object-name=pay',
        ]),
      ),
  },
  {
    id: 'token-by-node',
    name: 'requests a token for a service account that none of its pods runs as',
    who: 'node',
    ownNode: true,
    expected: 'refused by NodeRestriction',
    run: async (lab) => {
      const bound = ['--bound-object-kind=Pod', '--bound-object-name=foothold'];
      return lab.forbidden(() => lab.node.try(['-n', TENANT, 'create', 'token', 'mallory', OURS, ...bound]));
    },
  },
  {
    id: 'csr-names',
    name: "sends a key request with the neighbour's name, and with the CA's among its SANs",
    who: 'pod',
    expected: '400: names come from the pod',
    run: async (lab) => {
      const since = new Date();
      const token = await lab.tokenOf();
      await refused(lab, since, await lab.ask(token, { csr: requestWithNames({ dns: ['ca.step.svc'] }) }), [400]);
      return refused(lab, since, await lab.ask(token, { csr: requestWithNames({ commonName: VICTIMS_NAME }) }), [400]);
    },
  },
  {
    id: 'body-names',
    name: 'asks for names, a long life and CA:TRUE beside the key request',
    who: 'pod',
    expected: 'its own name, its own lifetime, no CA',
    run: async (lab) => {
      const since = new Date();
      const { csrPem } = await import('../../../runtime/x509/csr.ts').then((csr) => csr.createKeyAndRequest());
      const body = {
        csr: csrPem,
        sans: [VICTIMS_NAME],
        names: [VICTIMS_NAME],
        duration: '87600h',
        notAfter: '2099-01-01T00:00:00Z',
        ca: true,
      };
      const answer = await lab.ask(await lab.tokenOf(), body);
      if (answer.status !== 200) return refused(lab, since, answer, [400]);
      const leaf = issuedTo(answer);
      assert.equal(leaf.subjectAltName, `DNS:${ownName('foothold')}`);
      assert(!leaf.ca, 'no CA');
      assert(leaf.validToDate.getTime() - Date.now() < 25 * 3_600_000, leaf.validTo);
      return {
        happened: `its own certificate: ${leaf.subjectAltName}`,
        trace: await lab.log('autocert', /"pod":"foothold".*"serial"|"serial".*"pod":"foothold"/, since),
      };
    },
  },
  {
    id: 'token-of-dead-pod',
    name: 'keeps the token of a pod and uses it when the pod is gone',
    who: 'pod',
    expected: '401 or 410',
    run: async (lab) => {
      const pod = await readyPod(lab, 'dead');
      const token = await lab.tokenOf(pod);
      issuedTo(await lab.ask(token));
      await lab.remove(pod);
      await gone(lab, pod);
      const since = new Date();
      const answer = await lab.refusalOf(token);
      return refused(lab, since, answer, [401, 410]);
    },
  },
  {
    id: 'token-of-predecessor',
    name: 'uses the token of the StatefulSet pod of before, whose successor has the same name',
    who: 'pod',
    expected: '401 or 410',
    run: async (lab) => {
      const name = lab.unique('set');
      const annotations = { [Annotation.name]: ownName(name), [Annotation.delivery]: 'sidecar' };
      const spec = {
        serviceName: name,
        selector: { matchLabels: { app: name } },
        template: podTemplate(name, { annotations }),
      };
      const made = await lab.create(lab.tenant, {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name, namespace: TENANT },
        spec,
      });
      assert.equal(made.code, 0, made.stderr);
      const first = await lab.admin.ready(TENANT, `app=${name}`);
      const token = await lab.tokenOf(`${name}-0`);
      await lab.remove(`${name}-0`);
      await waitFor('the successor', async () => {
        const [pod] = await lab.admin.pods(TENANT, `app=${name}`);
        return pod !== undefined && pod.metadata.uid !== first.metadata.uid;
      });
      await lab.admin.ready(TENANT, `app=${name}`);
      const since = new Date();
      const answer = await lab.refusalOf(token);
      const defence = await refused(lab, since, answer, [401, 410]);
      await lab.admin.run(['-n', TENANT, 'delete', 'statefulset', name, '--wait=false']);
      return defence;
    },
  },
  {
    id: 'token-of-finished-pod',
    name: 'uses the token of a pod that has finished and was not deleted',
    who: 'pod',
    expected: '401 or 410',
    run: async (lab) => {
      const name = lab.unique('done');
      const annotations = { [Annotation.name]: ownName(name), [Annotation.delivery]: 'sidecar' };
      const options = { spec: { restartPolicy: 'Never' }, container: { command: ['/bin/true'] } };
      const made = await lab.create(lab.tenant, lab.pod(name, annotations, options));
      assert.equal(made.code, 0, made.stderr);
      await lab.admin.ready(TENANT, `app=${name}`, { phase: 'Succeeded' });
      const since = new Date();
      const defence = await refused(lab, since, await lab.ask(await lab.tokenOf(name)), [401, 410]);
      await lab.remove(name);
      return defence;
    },
  },
  {
    id: 'service-account-deleted',
    name: 'renews after its service account is gone',
    who: 'pod',
    expected: '401',
    run: async (lab) => {
      const account = lab.unique('account');
      await lab.admin.run(['-n', TENANT, 'create', 'serviceaccount', account]);
      const pod = await readyPod(lab, 'orphan', { serviceAccountName: account });
      const bound = ['--bound-object-kind=Pod', `--bound-object-name=${pod}`];
      const token = (await lab.admin.run(['-n', TENANT, 'create', 'token', account, OURS, ...bound])).trim();
      issuedTo(await lab.ask(token));
      await lab.admin.run(['-n', TENANT, 'delete', 'serviceaccount', account]);
      const since = new Date();
      const answer = await lab.refusalOf(token);
      const defence = await refused(lab, since, answer, [401]);
      await lab.remove(pod);
      return defence;
    },
  },
  {
    id: 'label-removed',
    name: 'renews after its namespace has lost the label; with the label back it may again',
    who: 'pod',
    expected: '403 while the label is away',
    run: async (lab) => {
      const label = (change: string) => lab.admin.run(['label', 'namespace', TENANT, change, '--overwrite']);
      const token = await lab.tokenOf();
      const since = new Date();
      await label(`${NAMESPACE_LABEL.key}-`);
      try {
        const answer = await lab.refusalOf(token, SLOWLY);
        return await refused(lab, since, answer, [403]);
      } finally {
        await label(`${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`);
        await waitFor('certificates again', async () => (await lab.ask(token)).status === 200, SLOWLY);
      }
    },
  },
  {
    id: 'report-forged',
    name: 'reports failures in the name of the neighbour’s pod, and without a token',
    who: 'pod',
    expected: 'the report counts for the pod whose token it is, else 401',
    run: async (lab) => {
      const since = new Date();
      const report = { reason: 'forged', since: new Date().toISOString(), namespace: VICTIM, pod: 'pay' };
      const without = await lab.ask('', report, 'report');
      assert.equal(without.status, 401, without.body);
      const answer = await lab.ask(await lab.tokenOf(), report, 'report');
      assert([204, 400, 429].includes(answer.status), `answered ${answer.status}: ${answer.body}`);
      const { items } = await lab.admin.json<{ items: readonly { message?: string }[] }>([
        '-n',
        VICTIM,
        'get',
        'events',
      ]);
      assert(!items.some(({ message }) => message?.includes('forged')), 'the neighbour has an Event');
      const trace =
        answer.status === 204
          ? await lab.log('autocert', /"namespace":"e2e-mallory".*"pod":"foothold".*an agent reports/, since)
          : firstLine(answer.body);
      return { happened: `401 without a token; ${answer.status} with its own, logged as its own`, trace };
    },
  },
  {
    id: 'log-injection',
    name: 'writes line ends, ANSI and JSON of its own into a report and an annotation',
    who: 'pod',
    expected: 'one line of JSON each, escaped',
    run: async (lab) => {
      const since = new Date();
      const fake = '{"level":"info","msg":"certificate issued","pod":"forged-by-mallory"}';
      const reason = `x\r\n${fake}\n\u001b[2J\u2028${'y'.repeat(400)}`;
      await lab.ask(await lab.tokenOf(), { reason, since: new Date().toISOString() }, 'report');
      await lab.create(lab.tenant, lab.pod(lab.unique('log'), { [Annotation.name]: `a\n${fake}\n.svc` }));
      const trace = await lab.log('autocert', /forged-by-mallory/, since);
      const args = ['-n', 'step', 'logs', '-l', 'app=autocert', '--tail=-1', `--since-time=${since.toISOString()}`];
      for (const line of (await lab.admin.run(args)).split('\n').filter(Boolean)) {
        const { msg } = JSON.parse(line) as { msg?: string };
        assert(!(msg === 'certificate issued' && line.includes('"pod":"forged-by-mallory"')), line);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: which is what must not be there
        assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1f\x7f]/);
      }
      return { happened: 'every line is one line of JSON', trace };
    },
  },
];
