/**
 * The whole way of one certificate, step by step, and then renewals under traffic.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, CERTIFICATE_DIR, CertificateFile } from '../../contract.ts';
import { describeCertificate } from '../../x509/certificate-description.ts';
import { certificateText } from '../../x509/certificate-text.ts';
import { AutocertError } from '../../lib/errors.ts';
import type { InitializedPki } from '../../pki/files.ts';
import { admit } from './admission.ts';
import { type Kubelet, type RunningPod, runPod } from './kubelet.ts';
import { LIFETIMES, makePki, startApiServer, startCa, startWebhook, type Workshop } from './parts.ts';
import { podDiff } from './pod-diff.ts';
import { type Pod, readPod } from './pod-file.ts';
import { watchRenewals } from './renewals.ts';
import type { Screen } from './screen.ts';
import { examplesDir, startTraffic, type Traffic } from './traffic.ts';

/** Lifetime of the certificates that are renewed before the onlooker's eyes. */
const SHORT = '9s';

/** What came out, for `--once`. */
export interface Outcome {
  readonly renewals: number;
  readonly traffic: Readonly<Traffic>;
}

/** What the steps after the set-up share. */
interface Place {
  readonly screen: Screen;
  readonly pki: InitializedPki;
  readonly webhookUrl: string;
  readonly kubelet: Kubelet;
  addPod(pod: Pod): void;
}

/** Sets everything up, gives the file's pod its certificate, then renews under traffic until `signal`, or once. */
export async function goTheWay(
  workshop: Workshop,
  screen: Screen,
  { file, once }: { readonly file: string; readonly once: boolean },
): Promise<Outcome> {
  const pod = readPod(file); // first, for a wrong file should not have to wait for all the rest
  const place = await setUp(workshop, screen);
  await firstCertificate(place, file, pod);
  return renewUnderTraffic(place, workshop, once);
}

async function setUp(workshop: Workshop, screen: Screen): Promise<Place> {
  const kubeconfig = join(workshop.dir, 'kubeconfig.json');
  const pki = await screen.step('PKI', async () => {
    const value = await makePki(workshop);
    const { fingerprint } = value.pki;
    return { line: `root, intermediate, provisioners; fingerprint ${fingerprint}`, facts: { fingerprint }, value };
  });
  const ca = await screen.step('CA', async () => {
    const value = await startCa(workshop, pki);
    return { line: `${pki.caUrl}, step-ca's protocol`, facts: { url: pki.caUrl }, value };
  });
  const api = await screen.step('API server', async () => {
    const { api: value, url } = await startApiServer(ca, pki, kubeconfig);
    workshop.signal.addEventListener('abort', () => void value.close(), { once: true });
    return { line: `${url}, a stand-in: TokenReview and the live pods, no cluster`, facts: { url }, value };
  });
  const webhookUrl = await screen.step('webhook', async () => {
    const value = await startWebhook(workshop, pki, kubeconfig);
    return { line: `${value}, its certificate from the CA`, facts: { url: value }, value };
  });
  const kubelet: Kubelet = {
    ...workshop,
    dir: join(workshop.dir, 'pods'),
    issueToken: (pod, audience, lifetime) => api.issueToken(pod, audience, lifetime),
  };
  return { screen, pki, webhookUrl, kubelet, addPod: (pod) => api.addPod(pod) };
}

/** Admission of a pod: what the webhook makes of it. */
async function inject({ pki, webhookUrl, addPod }: Place, pod: Pod): Promise<Pod> {
  const injected = await admit(pod, webhookUrl, pki.pki.rootPem);
  addPod(injected);
  return injected;
}

async function firstCertificate(place: Place, file: string, pod: Pod): Promise<void> {
  const { screen, kubelet } = place;
  const injected = await screen.step('admission', async () => {
    const value = await inject(place, pod);
    const name = pod.metadata.annotations?.[Annotation.name];
    if (value === pod) {
      throw new AutocertError(
        'INVALID_INPUT',
        `${file}: the webhook left the pod as it is; annotate it with ${Annotation.name}`,
      );
    }
    return {
      line: `pod ${pod.metadata.name} of ${file}, which asks for ${name}: patched`,
      facts: { pod: pod.metadata.name, name },
      value,
    };
  });
  screen.diff(podDiff(pod, injected));
  const { certificateDir } = await screen.step('agent', async () => {
    const value = runPod(kubelet, injected);
    await value.ready;
    const files = readdirSync(value.certificateDir).filter((name) => !name.startsWith('.'));
    return {
      line: `${files.join('  ')}, as every container finds them in ${CERTIFICATE_DIR}`,
      facts: { files },
      value,
    };
  });
  await screen.step('inspect', async () => {
    const pem = readFileSync(join(certificateDir, CertificateFile.certificate), 'utf8');
    const text = certificateText(describeCertificate(pem));
    screen.text(text);
    return {
      line: `step certificate inspect ${CERTIFICATE_DIR}/${CertificateFile.certificate}`,
      facts: { text },
      value: undefined,
    };
  });
}

async function renewUnderTraffic(
  place: Place,
  { processes, program, signal }: Workshop,
  once: boolean,
): Promise<Outcome> {
  const { screen, kubelet } = place;
  const examples = examplesDir(program);
  const run = async (name: string): Promise<RunningPod> => {
    const pod = readPod(join(examples, 'hello-mtls', 'node', name));
    const annotations = { ...pod.metadata.annotations, [Annotation.duration]: SHORT };
    const value = runPod(kubelet, await inject(place, { ...pod, metadata: { ...pod.metadata, annotations } }));
    await value.ready;
    return value;
  };
  const { traffic, dirs } = await screen.step('hello-mtls', async () => {
    const [server, client] = await Promise.all([run('hello-mtls.server.yaml'), run('hello-mtls.client.yaml')]);
    const dirs = { server: server.certificateDir, client: client.certificateDir };
    const value = { dirs, traffic: await startTraffic(processes, examples, dirs) };
    return {
      line: `server and client with certificates for ${SHORT} (the CA's minimum here is ${LIFETIMES.min}): ${value.traffic.last}`,
      facts: { duration: SHORT, greeting: value.traffic.last },
      value,
    };
  });
  if (!once) screen.text('renewing under traffic until Ctrl-C');
  const renewed = new Map<string, number>();
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    for (const [who, dir] of Object.entries(dirs)) {
      watchRenewals(dir, signal, ({ serialNumber, validTo }) => {
        const count = (renewed.get(who) ?? 0) + 1;
        renewed.set(who, count);
        const counts = { greetings: traffic.greetings, failures: traffic.failures };
        const line = `${who}'s renewal ${count}: new key, serial ${serialNumber}, until ${validTo}; ${counts.greetings} requests, ${counts.failures} failed`;
        screen.event('renewal', line, {
          who,
          count,
          serialNumber,
          notAfter: new Date(validTo).toISOString(),
          ...counts,
        });
        if (once && renewed.size === Object.keys(dirs).length) void afterNextGreetings(traffic, signal).then(resolve);
      });
    }
  });
  return { renewals: [...renewed.values()].reduce((sum, count) => sum + count, 0), traffic };
}

/** Resolves when requests that began after now have been answered: with the renewed certificates. */
function afterNextGreetings(traffic: Traffic, signal: AbortSignal): Promise<void> {
  const enough = traffic.greetings + traffic.failures + 20;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (traffic.greetings + traffic.failures < enough && !signal.aborted) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
}
