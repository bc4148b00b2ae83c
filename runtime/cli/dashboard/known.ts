/**
 * What the dashboard knows by now.
 * @module
 */
import type { Connection } from '../cluster-connection.ts';
import type { Diagnosis } from '../doctor/run.ts';
import type { StatusReport, StatusScope } from '../status/run.ts';
import { EVERY_MS } from '../status/watch.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';
import { dashboardOf } from './model.ts';
import type { ServingCertificate } from './serving.ts';

/** What is known by now, and its text, which is made once for all who ask. */
export class Known {
  readonly #podsOf: string | undefined;
  #report: { readonly report: StatusReport; readonly readAt: Date } | undefined;
  #lost: string | undefined;
  #diagnosis: { readonly diagnosis: Diagnosis; readonly diagnosedAt?: Date } | undefined;
  #serving: readonly ServingCertificate[] = [];
  #json: string | undefined;
  #isReady: () => void = () => {};
  /** Resolves when there is something to show. */
  readonly ready: Promise<void> = new Promise((resolve) => {
    this.#isReady = resolve;
  });

  constructor({ allNamespaces, namespace }: StatusScope, connection: Connection) {
    this.#podsOf = allNamespaces ? undefined : (namespace ?? connection.namespace ?? 'default');
  }

  /** The cluster has answered. */
  read(report: StatusReport, readAt: Date): void {
    this.#report = { report, readAt };
    this.#lost = undefined;
    this.#json = undefined;
    this.#isReady();
  }

  /** It does not answer. */
  lose(problem: string): void {
    this.#lost = problem;
    this.#json = undefined;
  }

  /** The doctor has looked. */
  diagnose(diagnosis: Diagnosis, diagnosedAt: Date): void {
    this.#diagnosis = { diagnosis, diagnosedAt };
    this.#json = undefined;
  }

  /** The doctor could not look, or did (`undefined`): its last word is old by then. */
  blind(problem: string | undefined, namespace: string): void {
    if (problem === undefined) return;
    const line = `autocert doctor could not look: ${excerpt(problem, MAX_TEXT)}`;
    this.#diagnosis = { diagnosis: { namespace, healthy: true, findings: [], notLookedAt: [line], others: [] } };
    this.#json = undefined;
  }

  /** What the webhook serves with. */
  set serving(serving: readonly ServingCertificate[]) {
    this.#serving = serving;
    this.#json = undefined;
  }

  /** What {@link dashboardOf} makes of it. */
  json(): string {
    if (!this.#report) return '{}';
    this.#json ??= JSON.stringify(
      dashboardOf({
        ...this.#report,
        ...this.#diagnosis,
        podsOf: this.#podsOf,
        everyMs: EVERY_MS,
        lost: this.#lost,
        serving: this.#serving,
      }),
    );
    return this.#json;
  }
}
