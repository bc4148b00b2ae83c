/**
 * A cluster in simulated time: thousands of agents by the agent's own decisions (`nextStep`), two replicas of the real
 * certificate endpoint with the real issuer, and a CA and an API server that can go away. Only time, the network and the
 * two peers are made up.
 * @module
 */

import type { V1TokenReview } from '@kubernetes/client-node';
import { type Holding, type Memory, nextStep } from '../../runtime/agent/next-step.ts';
import type { PolicyConfig, RenewalInfo } from '../../runtime/contract.ts';
import { Annotation, AttestationToken, NAMESPACE_LABEL } from '../../runtime/contract.ts';
import { AutocertError } from '../../runtime/lib/errors.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { formatDuration } from '../../runtime/policy/duration.ts';
import { BACKDATE_MS } from '../../runtime/policy/lifetimes.ts';
import { Issuer } from '../../runtime/step-ca/issuer.ts';
import { type CertificateService, createCertificateService } from '../../runtime/webhook/certificate-endpoint.ts';
import { RenewalInformation } from '../../runtime/webhook/renewal-info.ts';
import { EventQueue, randomNumbers } from './event-queue.ts';
import { type Credentials, sharedCredentials } from './shared-credentials.ts';

/** A time of simulated milliseconds since the start. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What happens in a simulation. */
export interface Scenario {
  readonly agents: number;
  readonly lifetimeMs: number;
  /** Agents start within this time. */
  readonly startWithinMs: number;
  readonly durationMs: number;
  readonly caAway?: Span;
  readonly apiAway?: Span;
  /** Clocks of all nodes are ahead by so much from that time on. */
  readonly clock?: { readonly fromMs: number; readonly aheadMs: number };
  /** `autocert renew --all` at this time. */
  readonly renewAllAtMs?: number;
}

/** What was counted. */
export interface Tally {
  /** Requests for a certificate by simulated second. */
  readonly requestsBySecond: ReadonlyMap<number, number>;
  readonly issuedBySecond: ReadonlyMap<number, number>;
  readonly issued: number;
  /** Requests to the API server while the CA was away. */
  readonly apiCallsInOutage: number;
  /** Requests for renewal information. */
  readonly informed: number;
  /** Agents without a valid certificate, at most and at the end. */
  readonly without: { readonly most: number; readonly atEnd: number };
  /** When the last agent got the certificate that it had waited for since before the outage ended; ms after its end. */
  readonly recoveredAfterMs: number | undefined;
  /** Agents whose certificate is from before `renewAllAtMs`, at the end. */
  readonly notReplaced: number;
}

interface Agent {
  /** Name and UID of its pod, and its token. */
  readonly name: string;
  readonly random: () => number;
  holding: Holding | undefined;
  memory: Memory;
  failed: boolean;
  /** Of the clock that issued it. */
  issuedAt: number;
  notAfter: number;
}

const EPOCH = Date.parse('2026-01-01T00:00:00Z');
const NAMESPACE = 'simulated';
const PROBE_MS = 10_000;
const OUTAGE_PROBE_MS = 2_000;
const REPLICAS = 2;

/** Runs a scenario to its end. */
export async function simulate(scenario: Scenario): Promise<Tally> {
  return new World(scenario, await sharedCredentials()).run();
}

class World {
  readonly #scenario: Scenario;
  readonly #credentials: Credentials;
  readonly #queue = new EventQueue();
  readonly #random = randomNumbers(1);
  readonly #replicas: {
    readonly issuer: Issuer;
    readonly service: CertificateService;
    readonly renewal: RenewalInformation;
  }[];
  readonly #agents: Agent[] = [];
  readonly #requests = new Map<number, number>();
  readonly #issuances = new Map<number, number>();
  #issued = 0;
  #apiCallsInOutage = 0;
  #informed = 0;
  #most = 0;
  #recovered: number | undefined;
  #signed = { notBefore: 0, notAfter: 0 };

  constructor(scenario: Scenario, credentials: Credentials) {
    this.#scenario = scenario;
    this.#credentials = credentials;
    this.#replicas = Array.from({ length: REPLICAS }, () => this.#replica());
  }

  async run(): Promise<Tally> {
    const { agents, startWithinMs, durationMs, renewAllAtMs } = this.#scenario;
    for (const replica of this.#replicas) {
      await replica.issuer.refresh().catch(() => undefined);
      this.#queue.add(0, () => this.#probe(replica.issuer));
    }
    for (let index = 0; index < agents; index += 1) {
      const random = randomNumbers(index + 2);
      const agent: Agent = {
        name: `pod-${index}`,
        random,
        holding: undefined,
        memory: {},
        failed: false,
        issuedAt: 0,
        notAfter: 0,
      };
      this.#agents.push(agent);
      this.#queue.add(random() * startWithinMs, () => this.#wake(agent));
    }
    for (let at = 0; at < durationMs; at += 10_000) this.#queue.add(at, async () => this.#count());
    await this.#queue.runUntil(durationMs);
    const isOld = ({ issuedAt }: Agent) => renewAllAtMs !== undefined && issuedAt < renewAllAtMs;
    return {
      requestsBySecond: this.#requests,
      issuedBySecond: this.#issuances,
      issued: this.#issued,
      apiCallsInOutage: this.#apiCallsInOutage,
      informed: this.#informed,
      without: { most: this.#most, atEnd: this.#without() },
      recoveredAfterMs: this.#recovered,
      notReplaced: this.#agents.filter(isOld).length,
    };
  }

  #now(): number {
    return this.#queue.now;
  }

  #is(span: Span | undefined): boolean {
    return span !== undefined && this.#now() >= span.fromMs && this.#now() < span.toMs;
  }

  #without(): number {
    const { startWithinMs } = this.#scenario;
    if (this.#now() < startWithinMs) return 0;
    return this.#agents.filter(({ notAfter }) => notAfter <= this.#now()).length;
  }

  #count(): void {
    this.#most = Math.max(this.#most, this.#without());
  }

  #replica() {
    const now = () => new Date(EPOCH + this.#now());
    const monotonic = () => this.#now();
    const issuer = new Issuer({ open: async () => this.#credentials.session(() => this.#askCa()), now, monotonic });
    const { lifetimeMs, renewAllAtMs } = this.#scenario;
    const renewal = new RenewalInformation({ issuer, lifetimeMs: () => lifetimeMs, now });
    if (renewAllAtMs !== undefined) {
      const data = { _all: new Date(EPOCH + renewAllAtMs).toISOString() };
      this.#queue.add(renewAllAtMs, () => renewal.refresh({ get: async <T>() => ({ data }) as T }, 'step'));
    }
    const duration = formatDuration(lifetimeMs);
    const policy: PolicyConfig = {
      namespace: 'step',
      clusterDomain: 'cluster.local',
      reservedNames: [],
      ...{ defaultDuration: duration, minDuration: '1s', maxDuration: duration },
      excludedNamespaces: [],
      namespaces: {},
    };
    const ports = { api: this.#api(), issuer, renewal, monotonic, random: this.#random };
    return { issuer, renewal, service: createCertificateService(() => policy, ports) };
  }

  async #probe(issuer: Issuer): Promise<void> {
    await issuer.probe().catch(() => undefined);
    this.#queue.add(issuer.outage ? OUTAGE_PROBE_MS : PROBE_MS, () => this.#probe(issuer));
  }

  #askCa(): void {
    if (this.#is(this.#scenario.caAway)) throw new AutocertError('UNAVAILABLE', 'no answer from the CA');
    this.#signed = { notBefore: this.#now() - BACKDATE_MS, notAfter: this.#now() + this.#scenario.lifetimeMs };
  }

  #api() {
    const answer = async <T>(value: object): Promise<T> => {
      if (this.#is(this.#scenario.caAway)) this.#apiCallsInOutage += 1;
      if (this.#is(this.#scenario.apiAway)) throw new AutocertError('UNAVAILABLE', 'no answer from the API server');
      return value as T;
    };
    const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
    const pod = (uid: string) => ({
      metadata: { uid, annotations: { [Annotation.name]: `a.${NAMESPACE}.svc` } },
      spec: { serviceAccountName: 'default' },
    });
    const review = (name: string) => {
      const extra = {
        'authentication.kubernetes.io/pod-name': [name],
        'authentication.kubernetes.io/pod-uid': [name],
      };
      const user = { username: `system:serviceaccount:${NAMESPACE}:default`, extra };
      return { status: { authenticated: true, audiences: [AttestationToken.audience], user } };
    };
    return {
      create: <T>(_path: string, body: unknown) => answer<T>(review((body as V1TokenReview).spec.token ?? '')),
      get: <T>(path: string) => {
        const [, name] = /\/pods\/(.+)$/.exec(path) ?? [];
        return answer<T>(name === undefined ? { metadata: { labels } } : pod(name));
      },
    };
  }

  /** One waking of an agent, by its own decisions. */
  async #wake(agent: Agent): Promise<void> {
    const replica = this.#replicas[Math.floor(agent.random() * REPLICAS)];
    if (!replica) return;
    const { clock } = this.#scenario;
    const ahead = clock && this.#now() >= clock.fromMs ? clock.aheadMs : 0;
    const now = new Date(EPOCH + this.#now() + ahead);
    let info: RenewalInfo | AutocertError | undefined;
    let failure: { error: unknown; wasted: boolean } | undefined;
    for (;;) {
      const { holding, memory, random } = agent;
      const step = nextStep({ now, holding, info, failure, memory, random });
      if (step.do === 'sleep') {
        agent.memory = step.memory;
        // The shell sleeps whole seconds, and not longer than ten minutes.
        this.#queue.add(Math.min(Math.max(Math.ceil(step.ms / 1000), 1), 600) * 1000, () => this.#wake(agent));
        return;
      }
      if (step.do === 'ask') {
        this.#informed += 1;
        info = replica.renewal.for(NAMESPACE);
        continue;
      }
      const outcome = await this.#obtain(agent, replica.service, step.starting, now);
      if ('error' in outcome) failure = { error: outcome.error, wasted: false };
      else ({ info } = outcome);
    }
  }

  async #obtain(agent: Agent, service: CertificateService, starting: boolean, clockNow: Date) {
    add(this.#requests, this.#now());
    try {
      const { answer } = await service.issue(
        { token: new Secret(agent.name), namespace: NAMESPACE },
        { csr: this.#credentials.csrPem, starting },
      );
      const { notBefore, notAfter } = this.#signed;
      add(this.#issuances, this.#now());
      this.#issued += 1;
      agent.issuedAt = this.#now();
      agent.notAfter = notAfter;
      agent.holding = {
        validity: { notBefore: new Date(EPOCH + notBefore), notAfter: new Date(EPOCH + notAfter) },
        obtainedAt: clockNow,
        position: agent.random(),
      };
      const outage = this.#scenario.caAway ?? this.#scenario.apiAway;
      if (agent.failed && outage) this.#recovered = this.#now() - outage.toMs;
      agent.failed = false;
      return { info: answer.renewal };
    } catch (error) {
      agent.failed = true;
      // As it is on the wire: status, words and whole seconds.
      const known = error instanceof AutocertError ? error : undefined;
      if (known === undefined) throw error;
      const retryAfterMs = Math.ceil((known.retryAfterMs ?? 1000) / 1000) * 1000;
      return { error: new AutocertError(known.code, known.message, { status: 503, retryAfterMs }) };
    }
  }
}

function add(counts: Map<number, number>, atMs: number): void {
  const second = Math.floor(atMs / 1000);
  counts.set(second, (counts.get(second) ?? 0) + 1);
}
