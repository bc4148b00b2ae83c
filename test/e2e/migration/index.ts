/**
 * `npm run e2e -- --migration`: Autocert beside the Go original, as docs/migration.md has it. First it reports, then namespaces
 * move to it by their label, one goes back, and in the end the original is removed.
 * @module
 */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, PkiFile, PkiObject, VolumeName, WEBHOOK_HEALTH_PORT } from '../../../runtime/contract.ts';
import { synthesize } from '../../../scripts/cluster/installation.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';
import { podTemplate, testPod } from '../../../scripts/cluster/workloads.ts';
import { autocert, tryAutocert } from '../autocert.ts';
import type { CertificateFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { clusterSteps } from '../steps/cluster.ts';
import { NEW } from './app.ts';
import { filesIn, greetEachOther, helloObjects, restarted } from './hello.ts';
import { ORIGINAL, Original } from './original.ts';

/** Both have pods of the original in the beginning. */
const [FIRST, SECOND] = ['e2e-first', 'e2e-second'] as const;
const FOREIGN = { annotations: { [Annotation.name]: 'pay.bank.svc.cluster.local' } };

/** Steps 41.x. */
export function migrationSteps(context: Context): Step[] {
  const { kubectl, scratch, step } = context;
  const original = new Original(context);
  const pki = join(scratch, 'pki');
  const keyOf = (label: string) => label.slice(0, label.indexOf('='));

  const issuedBy = ({ intermediate }: CertificateFiles, name: string) =>
    assert.match(intermediate.subject, new RegExp(`CN=${name} Intermediate CA`));
  const label = (namespace: string, ...labels: readonly string[]) =>
    kubectl.run(['label', 'namespace', namespace, ...labels]);
  const toNew = (namespace: string) => label(namespace, `${keyOf(ORIGINAL.label)}-`, NEW.label);
  const toOriginal = (namespace: string) => label(namespace, `${keyOf(NEW.label)}-`, ORIGINAL.label);

  /** An intermediate of our own below the original's root, by the commands of the guide; provisioners and passwords are new. */
  const makePki = async () => {
    await autocert(context, ['init', '--dir', pki, '--password-files']);
    const [certs, secrets] = [join(pki, 'certs'), join(pki, 'secrets')];
    const old = (file: string) => join(original.folder, file);
    await run([
      ...[step, 'certificate', 'create', 'Autocert Intermediate CA'],
      ...[join(certs, 'intermediate_ca.crt'), join(secrets, 'intermediate_ca_key')],
      ...['--profile', 'intermediate-ca', '--not-after', '17520h', '--force'],
      ...['--ca', old('certs/root_ca.crt'), '--ca-key', old('secrets/root_ca_key')],
      ...['--ca-password-file', old('password'), '--password-file', join(secrets, 'ca_password')],
    ]);
    copyFileSync(old('certs/root_ca.crt'), join(certs, 'root_ca.crt'));
    const { intermediateKey, caPassword, autocertPassword, provisioners } = PkiObject;
    await kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NEW.namespace } }]);
    for (const [name, key, file] of [
      [intermediateKey, PkiFile.intermediateKey, 'secrets/intermediate_ca_key'],
      [caPassword, PkiFile.password, 'secrets/ca_password'],
      [autocertPassword, PkiFile.password, 'secrets/autocert_password'],
      [provisioners, PkiFile.provisioners, 'config/provisioners.json'],
    ] as const) {
      const from = `--from-file=${key}=${join(pki, file)}`;
      await kubectl.run(['-n', NEW.namespace, 'create', 'secret', 'generic', name, from]);
    }
  };

  const apply = async (mode: 'report' | 'enforce') => {
    const folder = join(scratch, mode);
    const program = join(import.meta.dirname, 'app.ts');
    const environment = `MIGRATION_PKI=${pki} MIGRATION_MODE=${mode}`;
    await synthesize(folder, `env ${environment} ${process.execPath} ${program}`);
    await kubectl.run(['apply', '-f', folder]);
    for (const workload of ['statefulset/ca', 'deployment/autocert', 'deployment/autocert-signer']) {
      await kubectl.rolledOut(NEW.namespace, workload);
    }
  };

  const doctor = async () => {
    const answer = await tryAutocert(context, ['doctor', '--autocert-namespace', NEW.namespace, '-o', 'json'], '');
    const { findings } = JSON.parse(answer.stdout) as { findings: { check: string; object: string }[] };
    return findings.map(({ check, object }) => `${check} ${object}`);
  };
  /** The findings are these and no others, as soon as all is seen. */
  const told = async (...findings: readonly string[]) => {
    const wanted = findings.toSorted();
    let found: string[] = [];
    const look = async () => {
      found = (await doctor()).sort();
      return found.join() === wanted.join();
    };
    await waitFor('doctor', look, { timeoutMs: 60_000, everyMs: 1_000 }).catch(() => undefined);
    assert.deepEqual(found, wanted);
  };

  const reported = async () => {
    const pods = await kubectl.pods(NEW.namespace, 'app=autocert');
    const texts = await Promise.all(pods.map((pod) => kubectl.metrics(pod, WEBHOOK_HEALTH_PORT)));
    const counts = texts.map(
      (text) => /^autocert_admissions_total\{result="reported"\} (\d+)$/m.exec(text)?.[1] ?? '0',
    );
    return counts.reduce((sum, count) => sum + Number(count), 0);
  };
  const create = (object: object, ...args: readonly string[]) =>
    kubectl.try(['create', '-f', '-', ...args], { input: JSON.stringify(object) });

  return [
    ...clusterSteps(context).filter(({ base }) => base),
    {
      id: '41.1',
      name: 'the Go original is there; pods of two namespaces have their certificates from it, and greet each other',
      base: true,
      run: async () => {
        await original.install();
        for (const namespace of [FIRST, SECOND]) {
          await kubectl.apply([...original.namespace(namespace), ...helloObjects(namespace)]);
        }
        for (const namespace of [FIRST, SECOND]) {
          await kubectl.rolledOut(namespace, 'deployment/hello');
          issuedBy(await filesIn(kubectl, namespace), 'Original');
        }
        await greetEachOther(kubectl, FIRST, SECOND);
      },
      end: () => original.end(),
    },
    {
      id: '41.2',
      name: 'Autocert beside it, in a namespace and with a label of its own, in report mode: doctor finds that mode and nothing else',
      base: true,
      run: async () => {
        await makePki();
        await apply('report');
        await told('report-mode configmap/autocert-config');
        issuedBy(await restarted(kubectl, FIRST), 'Original');
        const status = await autocert(context, ['status', '-A', '--autocert-namespace', NEW.namespace]);
        assert.match(status, /^ {2}label +autocert\.example\.com=enabled /m);
        assert.match(status, /^ {2}mode +report /m);
        assert.match(status, /^Of other installations, and not told of here: \d+ of the Go original$/m);
      },
    },
    {
      id: '41.3',
      name: 'report mode: what would be refused is admitted without a certificate; kubectl prints the warning, the metric counts it',
      run: async () => {
        const namespace = 'e2e-report';
        const [key = '', value] = NEW.label.split('=');
        await kubectl.apply([
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { [key]: value } } },
        ]);
        const before = await reported();
        const pod = await create(testPod(namespace, 'foreign', FOREIGN));
        assert.equal(pod.code, 0, pod.stderr);
        assert.match(
          pod.stderr,
          /^Warning: autocert would refuse this pod; it gets no certificate: .*"pay\.bank\.svc/m,
        );
        const { metadata, spec } = await kubectl.ready(namespace, 'app=foreign');
        assert.equal(metadata.annotations?.[Annotation.status], undefined);
        assert.equal((spec.initContainers ?? []).length, 0);
        // For a second the pods tell the same figures again.
        await waitFor('the metric to count it', async () => (await reported()) === before + 1);
        const template = podTemplate('web', FOREIGN);
        const workload = await create({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'web', namespace },
          spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template },
        });
        assert.equal(workload.code, 0, workload.stderr);
        assert.match(workload.stderr, /^Warning: Validation failed for ValidatingAdmissionPolicy 'autocert\.tls'/m);
        const explained = await tryAutocert(
          context,
          ['explain', 'deployment/web', '-n', namespace, '--autocert-namespace', NEW.namespace],
          '',
        );
        assert.equal(explained.code, 1, explained.stderr);
        assert.match(explained.stdout, /: reported \(NotAllowed\)/);
        await kubectl.run(['delete', 'namespace', namespace, '--wait=false']);
      },
    },
    {
      id: '41.4',
      name: 'without report mode the same is refused; doctor says that all is well',
      base: true,
      run: async () => {
        await apply('enforce');
        const namespace = 'e2e-enforce';
        const [key = '', value] = NEW.label.split('=');
        await kubectl.apply([
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { [key]: value } } },
        ]);
        // Webhook pods hear of the mode when kubelet has updated their volume, one after the other.
        const refusal = await waitFor(
          'the pod to be refused',
          async () => {
            const answer = await create(testPod(namespace, 'foreign', FOREIGN), '--dry-run=server');
            return answer.code === 0 ? undefined : answer;
          },
          { timeoutMs: 150_000, everyMs: 1_000 },
        );
        assert.match(refusal.stderr, /denied the request: .*"pay\.bank\.svc/);
        await kubectl.run(['delete', 'namespace', namespace, '--wait=false']);
        await told();
      },
    },
    {
      id: '41.5',
      name: 'a namespace moves by its label: its pods are certified by Autocert, and greet those of the original by mutual TLS',
      base: true,
      run: async () => {
        await toNew(SECOND);
        issuedBy(await restarted(kubectl, SECOND), 'Autocert');
        issuedBy(await filesIn(kubectl, FIRST), 'Original');
        await greetEachOther(kubectl, FIRST, SECOND);
        await told();
      },
    },
    {
      id: '41.6',
      name: 'a namespace with both labels: a pod is injected once, and doctor names the namespace',
      run: async () => {
        await label(SECOND, ORIGINAL.label);
        await told(`two-installations namespace/${SECOND}`);
        await restarted(kubectl, SECOND);
        const { spec } = await kubectl.ready(SECOND, 'app=hello');
        const all = (spec.volumes ?? []).filter(({ name }) => name === 'certs' || name === VolumeName.certificates);
        assert.equal(all.length, 1);
        await label(SECOND, `${keyOf(ORIGINAL.label)}-`);
        issuedBy(await restarted(kubectl, SECOND), 'Autocert');
        await told();
      },
    },
    {
      id: '41.7',
      name: 'the way back: the label of before and a restart, and its pods are certified by the original, and greet',
      run: async () => {
        await toOriginal(SECOND);
        issuedBy(await restarted(kubectl, SECOND), 'Original');
        await greetEachOther(kubectl, FIRST, SECOND);
        await told();
      },
    },
    {
      id: '41.8',
      name: 'both namespaces move, the original is removed, and its leftovers; pods start and greet, doctor says that all is well',
      run: async () => {
        for (const namespace of [FIRST, SECOND]) {
          await kubectl.run(['label', 'namespace', namespace, `${keyOf(ORIGINAL.label)}-`, NEW.label, '--overwrite']);
          issuedBy(await restarted(kubectl, namespace), 'Autocert');
        }
        await original.remove();
        await greetEachOther(kubectl, FIRST, SECOND);
        issuedBy(await restarted(kubectl, FIRST), 'Autocert');
        await greetEachOther(kubectl, FIRST, SECOND);
        await told();
      },
    },
  ];
}
