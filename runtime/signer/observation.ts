/**
 * What the leader tells of others while it is in office: the pods, their certificates, the PKI and the CA. Whoever does
 * not lead tells nothing of them, since nobody keeps it current there.
 * @module
 */
import type { PolicyConfig } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { PodEvents } from '../kubernetes/events.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { labelOf } from '../policy/namespace-label.ts';
import { excludedNamespaces } from '../policy/reserved-names.ts';
import { ISSUED_REASON, issuedMessage } from '../step-ca/audit.ts';
import { caAvailability, certificateValidity } from '../step-ca/certificate-metrics.ts';
import type { Issuer } from '../step-ca/issuer.ts';
import { splitPem } from '../x509/certificate.ts';
import type { Duty } from './duty.ts';
import { NativeLeaves } from './native-leaves.ts';
import { PodCensus } from './pod-census.ts';
import type { Work } from './pod-certificate-request.ts';
import { enabledNamespaces, podsOf } from './pod-list.ts';
import type { Result } from './reconciler.ts';

/** What it takes. */
export interface ObservationPorts {
  readonly api: Pick<KubernetesApi, 'request' | 'create'>;
  readonly issuer: Pick<Issuer, 'outage' | 'roots'>;
  readonly policy: () => Pick<PolicyConfig, 'namespace' | 'namespaceLabel' | 'excludedNamespaces' | 'issuanceEvents'>;
  /** Who reports events. */
  readonly component: string;
  readonly registry: Metrics;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly log: Log;
}

/** See the module's header. */
export class Observation {
  readonly #ports: ObservationPorts;
  readonly #leaves: NativeLeaves;
  readonly #census: PodCensus;
  /** Apart from those of the reconciler, so that news of what went well never takes the place of a warning. */
  readonly #events: PodEvents;
  #term: AbortSignal | undefined;
  /** Those of the certificate that was issued last. */
  #intermediates: readonly string[] = [];

  constructor(ports: ObservationPorts) {
    const { api, issuer, policy, component, registry, now, monotonic, log } = ports;
    this.#ports = ports;
    this.#leaves = new NativeLeaves({ now, monotonic });
    this.#events = new PodEvents({ api, component, log, now, monotonic });
    this.#census = new PodCensus({
      namespaces: () => enabledNamespaces(api, labelOf(policy())),
      pods: (namespace, onPage) => podsOf(api, namespace, onPage),
      excluded: () => excludedNamespaces(policy()),
      leaves: this.#leaves,
      now,
      monotonic,
      log,
    });
    const isInOffice = () => this.#term?.aborted === false;
    this.#census.addGauges(registry, isInOffice);
    this.#leaves.addGauges(registry, isInOffice);
    caAvailability(registry, () => (isInOffice() ? issuer.outage === undefined : undefined));
    certificateValidity(registry, () =>
      isInOffice() ? { intermediate: this.#intermediates, root: issuer.roots } : {},
    );
  }

  /** Counts pods. */
  get duty(): Duty {
    return this.#census.duty;
  }

  /** A term of office begins; it ends when `signal` aborts. What was known before it is forgotten. Gives back `signal`. */
  during(signal: AbortSignal): AbortSignal {
    this.#term = signal;
    this.#intermediates = [];
    this.#leaves.clear();
    this.#census.clear();
    return signal;
  }

  /** Takes note of what came of an attempt, and gives it back. */
  seen({ request, kept }: Work, result: Result): Result {
    if (result.kind !== 'issued') return result;
    const { metadata, spec } = request;
    this.#leaves.add(spec.podUID, result);
    this.#intermediates = splitPem(kept?.status.certificateChain ?? '').slice(1);
    if (this.#ports.policy().issuanceEvents) {
      const pod = { namespace: metadata.namespace, name: spec.podName, uid: spec.podUID };
      this.#events.record(pod, ISSUED_REASON, issuedMessage(result), 'Normal');
    }
    return result;
  }
}
