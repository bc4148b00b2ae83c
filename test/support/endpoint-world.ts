/**
 * The certificate endpoint with the real issuer and real keys, in a cluster and with a CA that are in memory, on a clock
 * of its own.
 * @module
 */
import type { PolicyConfig } from '../../runtime/contract.ts';
import { AutocertError } from '../../runtime/lib/errors.ts';
import type { Claim } from '../../runtime/policy/judgement.ts';
import { type CertificateService, createCertificateService } from '../../runtime/webhook/certificate-endpoint.ts';
import { RenewalInformation } from '../../runtime/webhook/renewal-info.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { attestationOf } from './attestation.ts';
import { MemoryCa } from './memory-ca.ts';
import { ObjectStore } from './object-store.ts';
import { policy, runningPod } from './pods.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
/** What the pod proves itself by; the API server says whose it is. */
export const ATTESTATION = attestationOf('service.account.token');
/** Paths of what the API server is asked. */
export const POD = '/api/v1/namespaces/shop/pods/web-0';
export const NAMESPACE = '/api/v1/namespaces/shop';
export const REVIEW = '/apis/authentication.k8s.io/v1/tokenreviews';
/** A namespace that Autocert is on in. */
export const LABELLED = { metadata: { labels: { 'autocert.step.sm': 'enabled' } } };

/** A request for a key, PEM. */
export const { csrPem } = await createKeyAndRequest();

/** A cluster in which pod `web-0` of namespace `shop` may have what it asks for, and the endpoint in it. */
export class EndpointWorld {
  readonly store = new ObjectStore();
  readonly ca = new MemoryCa(() => this.now);
  readonly issuer = this.ca.issuer({ now: () => this.now, monotonic: () => this.clock });
  readonly service: CertificateService;
  /** Whom the endpoint has known, in turn. */
  readonly claims: Claim[] = [];
  /** What the API server says of the attestation; tests change it. */
  review: Record<string, unknown> | undefined = {
    authenticated: true,
    audiences: ['autocert.step.sm'],
    user: {
      username: 'system:serviceaccount:shop:web',
      extra: {
        'authentication.kubernetes.io/pod-name': ['web-0'],
        'authentication.kubernetes.io/pod-uid': ['uid-1'],
      },
    },
  };
  policy: PolicyConfig = policy();
  /** Milliseconds. */
  usualLifetime = 24 * HOUR;
  /** Monotonic milliseconds; the wall clock goes with it. */
  clock = 0;
  readonly #start = Math.floor(Date.now() / SECOND) * SECOND;

  constructor() {
    this.store.objects.set(POD, runningPod()).set(NAMESPACE, LABELLED);
    this.store.reviews.set(REVIEW, () => ({ status: this.review }));
    const renewal = new RenewalInformation({
      issuer: this.issuer,
      lifetimeMs: () => this.usualLifetime,
      now: () => this.now,
    });
    this.service = createCertificateService(() => this.policy, {
      api: this.store,
      issuer: this.issuer,
      renewal,
      monotonic: () => this.clock,
      random: () => 0.5,
    });
  }

  get now(): Date {
    return new Date(this.#start + this.clock);
  }

  /** The world after `change`, with a CA that has been reached. */
  static async with(change: (world: EndpointWorld) => void = () => {}): Promise<EndpointWorld> {
    const world = new EndpointWorld();
    await world.issuer.refresh();
    change(world);
    return world;
  }

  /** Takes the CA away, as the issuer's next look at it finds out. */
  async loseCa(): Promise<void> {
    this.ca.failure = new AutocertError('UNAVAILABLE', 'no answer from https://ca.step.svc');
    await this.issuer.probe().catch(() => {});
    this.store.calls.splice(0);
  }

  /** Asks for a certificate. */
  ask(body: unknown = { csr: csrPem }, attestation = ATTESTATION) {
    return this.service.issue(attestation, body, (claim) => this.claims.push(claim));
  }
}

/** Asks in a world that differs from the good one by `change`. */
export async function ask(change?: (world: EndpointWorld) => void, body?: unknown) {
  return (await EndpointWorld.with(change)).ask(body);
}
/** Makes the pod another one. */
export const setPod = (pod: unknown) => (world: EndpointWorld) => void world.store.objects.set(POD, pod);
