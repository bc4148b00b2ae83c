/**
 * What the demo shows: everything is set up, a pod gets its first certificate, and certificates are renewed under traffic.
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Annotation, CERTIFICATE_DIR, CertificateFile, STATUS_INJECTED } from '../../contract.ts';
import { AutocertError } from '../../lib/errors.ts';
import { sleep } from '../../lib/loops.ts';
import { describeCertificate } from '../../x509/certificate-description.ts';
import { certificateText } from '../../x509/certificate-text.ts';
import type { Reporter } from '../reporter.ts';
import { admit } from './admission.ts';
import { LIFETIMES, makePki, type Surroundings, startApiServer, startCa, startWebhook } from './components.ts';
import { type KubeletOptions, type RunningPod, runPod, watchRenewals } from './kubelet.ts';
import { register, startPage } from './page.ts';
import { type Pod, readPod } from './pod-file.ts';
import { type ProjectFiles, projectFiles } from './project-files.ts';
import { startTraffic, type Traffic } from './traffic.ts';

/** Seconds that certificates last whose renewals are shown; longer on a machine that takes long to get the first one. */
const SHORT = { least: 9, most: 120 } as const;
/** A renewal has a third of the lifetime, and may take longer than the first certificate took. */
const TIMES_THE_FIRST = 6;
/** Greetings that have to come back after the last renewal, and milliseconds between two looks at their number. */
const LAST_GREETINGS = 20;
const LOOK_MS = 20;

/** What came out. */
export interface Outcome {
  readonly renewals: number;
  readonly traffic: Readonly<Traffic>;
}

/** What runs once everything is set up. */
interface Cluster {
  readonly kubelet: KubeletOptions;
  /** Admission: the pod as the webhook makes it, from then on known to the API server. */
  readonly create: (pod: Pod) => Promise<Pod>;
  /** Starts the page; its URL. */
  readonly page: () => Promise<string>;
}

/** Shows all of it: until `signal` aborts, or with `once` until both pods have renewed. */
export async function runScenario(
  surroundings: Surroundings,
  reporter: Reporter,
  { file, once }: { readonly file?: string | undefined; readonly once: boolean },
): Promise<Outcome> {
  const files = projectFiles(surroundings.program);
  const manifest = file ?? relative('', join(files.examples, 'sleep.yaml'));
  const pod = readPod(manifest); // first, for a wrong file should not have to wait for all the rest
  const cluster = await setUp(surroundings, files, reporter);
  const tookMs = await firstCertificate(cluster, manifest, pod, reporter);
  return renewUnderTraffic(surroundings, files, cluster, reporter, { once, seconds: lifetimeFor(tookMs) });
}

/** Seconds that certificates are to last on a machine where the first one took so many milliseconds. */
export function lifetimeFor(tookMs: number): number {
  return Math.min(Math.max(Math.ceil((tookMs * TIMES_THE_FIRST) / 1000), SHORT.least), SHORT.most);
}

async function setUp(surroundings: Surroundings, files: ProjectFiles, reporter: Reporter): Promise<Cluster> {
  const { dir, children, program, signal } = surroundings;
  const pki = await reporter.step('PKI', async () => {
    const value = await makePki(surroundings);
    const { fingerprint } = value.pki;
    return { line: `root, intermediate, provisioners; fingerprint ${fingerprint}`, facts: { fingerprint }, value };
  });
  await reporter.step('CA', async () => {
    await startCa(surroundings, pki);
    return { line: `${pki.caUrl}, step-ca's protocol`, facts: { url: pki.caUrl }, value: undefined };
  });
  const { api, kubeconfig } = await reporter.step('API server', async () => {
    const value = await startApiServer(surroundings);
    const { url } = value.api;
    return { line: `${url}, as much as is needed of one: TokenReview, pods; no cluster`, facts: { url }, value };
  });
  const { webhook, health } = await reporter.step('webhook', async () => {
    const value = await startWebhook(surroundings, pki, kubeconfig);
    const line = `${value.webhook}, its certificate from the CA; certificates for pods at ${value.certificates}`;
    return { line, facts: { url: value.webhook, certificates: value.certificates }, value };
  });
  register(api, pki.pki, health);
  const agentWorker = join(dir, 'agent-worker');
  const worker = [process.execPath, program, 'agent'].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  writeFileSync(agentWorker, `#!/bin/sh\nexec ${worker.join(' ')} "$@"\n`, { mode: 0o700 });
  return {
    kubelet: {
      dir: join(dir, 'pods'),
      children,
      agentScript: files.agentScript,
      agentWorker,
      signal,
      issueToken: (pod, audience, lifetime) => api.issueToken(pod, audience, lifetime),
    },
    create: async (pod) => {
      const admitted = await admit(pod, webhook, pki.pki.rootPem);
      api.addPod(admitted);
      return admitted;
    },
    page: () => startPage(api, signal),
  };
}

/** Until the pod's files are there; how many milliseconds its agent took. */
async function firstCertificate({ kubelet, create }: Cluster, file: string, pod: Pod, reporter: Reporter) {
  const injected = await reporter.step('admission', async () => {
    const value = await create(pod);
    const name = pod.metadata.annotations?.[Annotation.name];
    if (value === pod) {
      const isInjected = pod.metadata.annotations?.[Annotation.status] === STATUS_INJECTED;
      const wanted = isInjected ? `remove its annotation ${Annotation.status}` : `annotate it with ${Annotation.name}`;
      throw new AutocertError('INVALID_INPUT', `${file}: the webhook left the pod as it is; ${wanted}`);
    }
    const line = `pod ${pod.metadata.name} of ${file}, which asks for ${name}: patched`;
    return { line, facts: { pod: pod.metadata.name, name }, value };
  });
  reporter.diff(pod, injected);
  const start = performance.now();
  const { certificateDir } = await reporter.step('agent', async () => {
    const value = await runPod(kubelet, injected);
    const files = readdirSync(value.certificateDir).filter((name) => !name.startsWith('.'));
    const line = `${files.join('  ')}, as every container finds them in ${CERTIFICATE_DIR}`;
    return { line, facts: { files }, value };
  });
  const tookMs = performance.now() - start;
  await reporter.step('inspect', async () => {
    const pem = readFileSync(join(certificateDir, CertificateFile.certificate), 'utf8');
    const text = certificateText(describeCertificate(pem));
    reporter.text(text);
    const line = `step certificate inspect ${CERTIFICATE_DIR}/${CertificateFile.certificate}`;
    return { line, facts: { text }, value: undefined };
  });
  return tookMs;
}

async function renewUnderTraffic(
  { children, signal }: Surroundings,
  { examples }: ProjectFiles,
  { kubelet, create, page }: Cluster,
  reporter: Reporter,
  { once, seconds }: { readonly once: boolean; readonly seconds: number },
): Promise<Outcome> {
  const duration = `${seconds}s`;
  const run = async (who: 'server' | 'client'): Promise<RunningPod> => {
    const pod = readPod(join(examples, 'hello-mtls', 'node', `hello-mtls.${who}.yaml`));
    const annotations = { ...pod.metadata.annotations, [Annotation.duration]: duration };
    return runPod(kubelet, await create({ ...pod, metadata: { ...pod.metadata, annotations } }));
  };
  const { pods, traffic } = await reporter.step('hello-mtls', async () => {
    const [server, client] = await Promise.all([run('server'), run('client')]);
    const dirs = { server: server.certificateDir, client: client.certificateDir };
    const value = { pods: { server, client }, traffic: await startTraffic(children, examples, dirs) };
    const greeting = value.traffic.last || value.traffic.lastFailure;
    const line = `server and client with certificates for ${duration} (the CA's minimum here is ${LIFETIMES.min}): ${greeting}`;
    return { line, facts: { duration, greeting }, value };
  });
  if (!once) {
    await reporter.step('dashboard', async () => {
      const url = await page();
      return { line: `${url}, where the certificates are seen to be renewed`, facts: { url }, value: undefined };
    });
    reporter.text('renewing under traffic until Ctrl-C');
  }
  const counts = { server: 0, client: 0 };
  const seen = new AbortController();
  const end = AbortSignal.any([signal, seen.signal]);
  const watch = (who: 'server' | 'client') =>
    watchRenewals(pods[who], end, ({ serialNumber, validTo }) => {
      counts[who] += 1;
      const { greetings, failures } = traffic;
      const line = `${who}'s renewal ${counts[who]}: new key, serial ${serialNumber}, until ${validTo}; ${greetings} requests, ${failures} failed`;
      const notAfter = new Date(validTo).toISOString();
      reporter.event('renewal', line, { who, count: counts[who], serialNumber, notAfter, greetings, failures });
      if (once && counts.server > 0 && counts.client > 0) seen.abort();
    });
  await Promise.all([watch('server'), watch('client')]);
  // Requests that begin after the renewals are made with the new certificates.
  const enough = traffic.greetings + traffic.failures + LAST_GREETINGS;
  while (once && !signal.aborted && traffic.greetings + traffic.failures < enough) await sleep(LOOK_MS, signal);
  return { renewals: counts.server + counts.client, traffic };
}
