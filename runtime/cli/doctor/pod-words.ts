/**
 * Why a pod of Autocert is not ready, in its own words.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { CaPort, WEBHOOK_HEALTH_PORT } from '../../contract.ts';
import { isRecord } from '../../lib/validator.ts';
import type { Look } from '../observed/look.ts';

/** Ports of the parts at which they say how they are, and the container whose log does. */
const TELLING: Readonly<Record<string, { readonly port: number; readonly container: string }>> = {
  ca: { port: CaPort.supervisor, container: 'supervisor' },
  autocert: { port: WEBHOOK_HEALTH_PORT, container: 'autocert' },
  'autocert-signer': { port: WEBHOOK_HEALTH_PORT, container: 'autocert-signer' },
};
/** Of a log that is looked through. */
const LOG = { tailLines: '200', limitBytes: String(1 << 18) } as const;

/** Whether pods with this label `app` say how they are. */
export function tells(app = ''): boolean {
  return Object.hasOwn(TELLING, app);
}

/** What a part says at its port for kubelet; where the API server cannot reach it, its log. */
export async function wordsOf(look: Look, pod: V1Pod, app: string): Promise<string | undefined> {
  const { namespace = '', name = '' } = pod.metadata ?? {};
  const { port, container } = TELLING[app] ?? { port: 0, container: '' };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const text = (at: string, query?: Readonly<Record<string, string>>) =>
    look.api.text(at, query).catch(() => ({ status: 0, text: '' }));
  const ready = await text(`${path}:${port}/proxy/readyz`);
  const isItsOwn = (ready.status === 200 || ready.status === 503) && !ready.text.startsWith('{');
  if (isItsOwn && ready.status === 503) return ready.text;
  // A CA runs on with what fitted before.
  const isBehind =
    isItsOwn &&
    app === 'ca' &&
    /^autocert_ca_configuration_fits 0$/m.test((await text(`${path}:${port}/proxy/metrics`)).text);
  if (isItsOwn && !isBehind) return undefined;
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (isReady && !isBehind) return undefined;
  const log = await text(`${path}/log`, { container, ...LOG });
  if (log.status === 200) return lastComplaint(log.text);
  if (log.status === 403)
    look.missed(
      `what pods say of themselves, for lack of the verb get for pods/proxy or pods/log in namespace ${namespace}`,
    );
  return undefined;
}

/** The last line of a log that says what is wrong. */
function lastComplaint(log: string): string | undefined {
  for (const line of log.split('\n').reverse()) {
    const entry = parsed(line);
    const said = [entry.notReady, entry.problem, entry.reason].find((one) => typeof one === 'string' && one !== '');
    if (said !== undefined) return String(said);
    if (entry.msg === undefined && line.startsWith('autocert: ')) return line.slice('autocert: '.length);
  }
  return undefined;
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const entry: unknown = JSON.parse(line);
    return isRecord(entry) ? entry : {};
  } catch {
    return {};
  }
}
