/**
 * The webhook's HTTP interface for the API server, apart from the listener, so that tests ask it without a port.
 * @module
 */
import { WebhookPath } from '../contract.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type AdmissionSurroundings, admit } from './admission.ts';
import { type HttpApp, type HttpAppOptions, httpApp, sendError } from './http-server.ts';

/** What the app is made of. */
export interface WebhookDeps extends AdmissionSurroundings, Pick<HttpAppOptions, 'tls' | 'stopping'> {
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The API server's own limit for an object is 3 MiB. */
const MAX_REVIEW = 3 * 2 ** 20;

/** Makes the app. */
export function buildApp(deps: WebhookDeps): HttpApp {
  const app = httpApp({ ...deps, bodyLimit: MAX_REVIEW });
  addAdmission(app, deps);
  return app;
}

function addAdmission(app: HttpApp, { metrics, log, ...surroundings }: WebhookDeps): void {
  const total = metrics.counter('admissions_total', 'Admissions by result.', ['result']);
  const seconds = metrics.seconds('admission_duration_seconds', 'Time to decide on a pod and make its patch.', []);
  app.post(WebhookPath.mutate, (request, reply) => {
    const started = performance.now();
    try {
      const { body, result, fields } = admit(request.body, surroundings);
      seconds.observe((performance.now() - started) / 1000);
      total.inc({ result });
      log[result === 'denied' || result === 'invalid' ? 'warn' : 'info']({ ...fields, result }, 'admission');
      reply.type('application/json').send(body);
    } catch (error) {
      total.inc({ result: 'error' });
      log.error({ result: 'error', reason: messageOf(error) }, 'admission');
      sendError(reply, error);
    }
  });
}
