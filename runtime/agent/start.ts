/**
 * Joins the loop to the real world: clock, chance, network, files and signals.
 * @module
 */
import { AgentCommand, AgentEnv } from '../contract.ts';
import { replaceCertificateFiles } from './certificate-files.ts';
import { jsonLog } from '../lib/log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { readHeld } from './held.ts';
import { enroll, type IssueContext, renew } from './issue.ts';
import { type AgentPorts, keepFresh, obtainOnce } from './keep.ts';
import { type Environment, readSettings } from './settings.ts';

/** Runs `run` or `once` until it is done or the process is told to stop. */
export async function start(
  command: typeof AgentCommand.run | typeof AgentCommand.once,
  env: Environment,
): Promise<void> {
  const settings = readSettings(env);
  const signal = stopSignal();
  const log = jsonLog({
    name: 'autocert-agent',
    namespace: env[AgentEnv.namespace],
    pod: env[AgentEnv.podName],
  });
  // Nobody reading the log is no reason to end.
  process.stdout.on('error', () => undefined);
  const now = () => new Date();
  const context: IssueContext = { settings, now, log, signal };
  const ports: AgentPorts = {
    now,
    random: Math.random,
    sleep: (ms) => sleep(ms, signal),
    signal,
    log,
    held: () => readHeld(settings.dir, now()),
    enroll: () => enroll(context),
    renew: (inHand) => renew(context, inHand),
    store: (set) => replaceCertificateFiles(settings.dir, set, settings.mode),
  };
  await (command === AgentCommand.once ? obtainOnce(ports) : keepFresh(ports));
  if (signal.aborted) log.info({}, 'told to stop');
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', wake);
  });
}
