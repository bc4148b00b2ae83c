/**
 * The webhook's HTTP interface for the API server, apart from the listener, so that tests ask it without a port.
 * @module
 */
import { WebhookPath } from '../contract.ts';
import { Allowance } from '../lib/allowance.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { type Log, sparingLog } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type AdmissionResult, type AdmissionSurroundings, admit } from './admission.ts';
import { type HttpApp, type HttpAppOptions, httpApp } from './http-server.ts';

/** What the app is made of. */
export interface WebhookDeps
  extends AdmissionSurroundings,
    Pick<HttpAppOptions, 'tls' | 'clients' | 'stopping' | 'timeouts' | 'onCut'> {
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The API server's own limit for an object is 3 MiB. Of all reviews that it sends at once few are over a hundredth of it. */
const BODIES = { limit: 3 * 2 ** 20, inFlight: 16 * 2 ** 20 } as const;
/**
 * An API server keeps some twenty connections, and opens one more for each admission beyond them: it has 200 changes under
 * way at most (`--max-mutating-requests-inflight`).
 */
const CONNECTIONS = { total: 256, byPeer: 200, opened: { perSecond: 200, burst: 400 } } as const;
/** Lines about admissions, of which there are thousands a second where somebody floods this port: the metrics count them all. */
const LINES = { perSecond: 100, burst: 2_000 } as const;

/** Results that somebody should look at. */
const LOUD: readonly AdmissionResult[] = ['denied', 'reported', 'invalid'];

/** Makes the app. */
export function buildApp(deps: WebhookDeps): HttpApp {
  const app = httpApp({ ...deps, bodies: BODIES, connections: CONNECTIONS });
  addAdmission(app, deps);
  return app;
}

function addAdmission(app: HttpApp, { metrics, ...deps }: WebhookDeps): void {
  const log = sparingLog(deps.log, new Allowance(() => performance.now(), LINES));
  const total = metrics.counter('admissions_total', 'Admissions by result.', ['result']);
  const seconds = metrics.seconds('admission_duration_seconds', 'Time to decide on a pod and make its patch.', []);
  app.post(WebhookPath.mutate, (request, reply) => {
    const started = performance.now();
    const { body, result, fields } = admit(request.body, deps);
    seconds.observe((performance.now() - started) / 1000);
    total.inc({ result });
    log[LOUD.includes(result) ? 'warn' : 'info']({ ...fields, result }, 'admission');
    reply.type('application/json').send(body);
  });
  // Of bodies that are not read to their end, too.
  app.addHook('onError', async (_request, _reply, error) => {
    const result = error instanceof AutocertError && error.code === 'INVALID_INPUT' ? 'invalid' : 'error';
    total.inc({ result });
    log[result === 'invalid' ? 'warn' : 'error']({ result, reason: messageOf(error) }, 'admission');
  });
}
