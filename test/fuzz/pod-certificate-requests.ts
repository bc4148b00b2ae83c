/**
 * PodCertificateRequests: whatever stands in one and in its pod, the signer comes to an answer, gives no other name than
 * the pod's own, and writes nothing that the API server refuses.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import fc, { type Arbitrary } from 'fast-check';
import { SIGNER_NAME } from '../../runtime/contract.ts';
import type { PodCertificateRequest, RequestStatus } from '../../runtime/signer/pod-certificate-request.ts';
import { Work } from '../../runtime/signer/pod-certificate-request.ts';
import { Reconciler } from '../../runtime/signer/reconciler.ts';
import type { ApiServer } from '../support/api-server.ts';
import { MemoryCa } from '../support/memory-ca.ts';
import { FUZZ_POLICY } from './names.ts';
import { Outcome } from './outcome.ts';
import { type FuzzPod, inNamespace, pods } from './pods.ts';
import { type Amount, EMPTY_REQUESTS, requestsDer } from './programs.ts';
import { anyText } from './texts.ts';

type Spec = PodCertificateRequest['spec'];

const specs: Arbitrary<Spec> = fc
  .record({
    csr: fc.oneof({ arbitrary: fc.constantFrom(...EMPTY_REQUESTS), weight: 6 }, { arbitrary: requestsDer, weight: 1 }),
    strange: fc.oneof(
      { arbitrary: fc.constant({}), weight: 6 },
      {
        arbitrary: fc.dictionary(
          fc.constantFrom('podName', 'podUID', 'serviceAccountName', 'nodeName', 'nodeUID', 'stubPKCS10Request'),
          anyText,
          { maxKeys: 2, noNullPrototype: true },
        ),
        weight: 1,
      },
    ),
    seconds: fc.oneof(
      fc.constant(86_460),
      fc.integer({ min: 3600, max: 7_862_400 }),
      fc.integer(),
      fc.constant(undefined),
    ),
    user: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 9 },
      { arbitrary: fc.dictionary(anyText, anyText, { maxKeys: 3, noNullPrototype: true }), weight: 1 },
    ),
  })
  .map(({ csr, strange, seconds, user }) => ({
    signerName: SIGNER_NAME,
    podName: 'web',
    podUID: 'pod-1',
    serviceAccountName: 'default',
    serviceAccountUID: 'account-1',
    nodeName: 'node-1',
    nodeUID: 'node-uid-1',
    stubPKCS10Request: csr.toString('base64'),
    ...(seconds !== undefined && { maxExpirationSeconds: seconds }),
    ...(user !== undefined && { unverifiedUserAnnotations: user }),
    ...strange,
  }));

const volume = { name: 'autocert-certs', projected: { sources: [{ podCertificate: { signerName: SIGNER_NAME } }] } };

function livePod({ annotations, spec }: FuzzPod) {
  const volumes = [...((spec.volumes as object[] | undefined) ?? []), volume];
  return {
    metadata: { name: 'web', uid: 'pod-1', annotations },
    spec: { ...spec, volumes, nodeName: 'node-1', serviceAccountName: 'default' },
    status: { phase: 'Pending' },
  };
}

/** A signer on a CA in memory; `write` takes the status. */
async function signer(
  pod: () => FuzzPod,
  write: (request: PodCertificateRequest, status: RequestStatus) => Promise<void>,
) {
  const now = () => new Date();
  const issuer = new MemoryCa(now).issuer({ now, monotonic: () => performance.now() });
  await issuer.refresh();
  return new Reconciler({
    policy: () => FUZZ_POLICY,
    readPod: async () => livePod(pod()) as never,
    namespaceEnabled: async () => true,
    issue: (order) => issuer.issue(order),
    writeStatus: async (request, status) => {
      await write(request, status);
      return 'written';
    },
    recordEvent: () => undefined,
    now,
    monotonic: () => performance.now(),
    random: Math.random,
  });
}

const workOf = (request: PodCertificateRequest) =>
  new Work(request, true, { monotonic: performance.now(), now: new Date() });

/** Names in the certificate are those that the pod's namespace owns, whatever the request says. */
function namesProblem(chain: string, namespace: string): string | undefined {
  const names = new X509Certificate(chain).subjectAltName?.split(', ').map((name) => name.replace(/^\w+:/, '')) ?? [];
  const limits = FUZZ_POLICY.namespaces[namespace];
  const isOwn = (name: string) => new RegExp(`(^|\\.)${namespace}(\\.(svc|pod)(\\.cluster\\.local)?)?$`).test(name);
  const strange = names.filter((name) => !isOwn(name));
  return strange.length > 0 && limits === undefined ? `${namespace} got ${strange.join(', ')}` : undefined;
}

/** In memory. */
export async function podCertificateRequests({ seed, count }: Amount): Promise<Outcome> {
  const outcome = new Outcome('PodCertificateRequests');
  let pod: FuzzPod | undefined;
  let last: RequestStatus | undefined;
  const reconciler = await signer(
    () => pod as FuzzPod,
    async (_request, status) => {
      last = status;
    },
  );
  for (const [spec, given] of fc.sample(fc.tuple(specs, pods), { seed, numRuns: count })) {
    pod = inNamespace(given, given.namespace);
    last = undefined;
    const metadata = {
      namespace: pod.namespace,
      name: 'req',
      uid: 'req-1',
      creationTimestamp: new Date().toISOString(),
    };
    await outcome.run({ spec, pod }, async () => {
      const result = await reconciler.reconcile(workOf({ metadata, spec } as PodCertificateRequest));
      outcome.count(result.kind);
      if (result.kind === 'again' || result.kind === 'unavailable') throw new Error(result.message);
      const problem = last?.certificateChain && namesProblem(last.certificateChain, given.namespace);
      if (problem) throw new Error(problem);
    });
  }
  return outcome;
}

/** The API server takes each request that it takes, and then each status that the signer writes. */
export async function statusesAreTaken(server: ApiServer, { seed, count }: Amount): Promise<Outcome> {
  const outcome = new Outcome('PodCertificateRequests, written to a real API server');
  let pod: FuzzPod | undefined;
  const collection = (namespace: string) =>
    `/apis/certificates.k8s.io/v1/namespaces/${namespace}/podcertificaterequests`;
  const reconciler = await signer(
    () => pod as FuzzPod,
    async (request, status) => {
      const path = `${collection(request.metadata.namespace)}/${request.metadata.name}/status?dryRun=All`;
      const { status: code, body } = await server.send('PUT', path, { ...request, status });
      if (code !== 200) throw new Error(`the API server refuses the status: ${body.message}`);
    },
  );
  for (const [spec, given] of fc.sample(fc.tuple(specs, pods), { seed, numRuns: count })) {
    pod = inNamespace(given, given.namespace);
    const { namespace } = given;
    const made = await server.create(collection(namespace), {
      metadata: { generateName: 'req-' },
      spec,
    });
    if (made.status !== 201) {
      outcome.cases += 1;
      outcome.count('no object at all');
      continue;
    }
    await outcome.run({ spec, pod }, async () => {
      const result = await reconciler.reconcile(workOf(made.body));
      outcome.count(result.kind);
      if (result.kind === 'again' || result.kind === 'unavailable') throw new Error(result.message);
    });
    await server.send('DELETE', `${collection(namespace)}/${made.body.metadata.name}`);
  }
  return outcome;
}
