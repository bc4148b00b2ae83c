/**
 * The worker's command line, and what joins one waking to the real world.
 * @module
 */
import { writeSync } from 'node:fs';
import { AgentEnv } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { jsonLog } from '../lib/log.ts';
import { sleep } from '../lib/loops.ts';
import { type Environment, readSettings } from './settings.ts';
import { Outcome, wake } from './wake.ts';

const USAGE = `Usage: autocert-agent-worker [--once]

One piece of the agent's work: obtains a certificate where none is valid or one is due, takes over new roots, and writes
down in the certificate folder how long to sleep. The program autocert-agent starts it; it sleeps in between.

  --once   end as soon as there is a valid certificate

Exit codes: ${Outcome.valid} there is a valid certificate, ${Outcome.failed} there is none yet, ${Outcome.misconfigured} the environment is wrong,
${Outcome.gone} the pod is being deleted, ${Outcome.unknown} something else.

Environment:
  ${AgentEnv.autocertUrl}            https:// URL of the certificate endpoint
  ${AgentEnv.roots}          PEM of the roots by which to trust it
  ${AgentEnv.namespace}               namespace of the pod
  ${AgentEnv.podName}                name of the pod, for the log
  ${AgentEnv.tokenFile}     the pod's service-account token (default /var/run/secrets/autocert.step.sm/token)
  ${AgentEnv.certificateDir}            folder of the files (default /var/run/autocert.step.sm)
  ${AgentEnv.mode}                    mode of the files (default 0644)
  ${AgentEnv.hostAliases}   name=address pairs separated by commas, asked before DNS
`;

/** Runs the worker with these arguments (without the program's name) and gives back the exit code. */
export async function main(argv: readonly string[], env: Environment): Promise<number> {
  const [argument, ...more] = argv;
  if (argument === '--help' || argument === '-h') {
    writeLine(1, USAGE);
    return Outcome.valid;
  }
  if ((argument !== undefined && argument !== '--once') || more.length > 0) {
    writeLine(2, `autocert-agent-worker: this is not known: ${argv.join(' ')}\n\n${USAGE}`);
    return Outcome.misconfigured;
  }
  try {
    const settings = readSettings(env);
    const pod = { namespace: env[AgentEnv.namespace], pod: env[AgentEnv.podName] };
    const log = jsonLog({ component: 'agent', ...pod }, (line) => writeLine(1, line));
    const never = new AbortController().signal;
    const clock = { now: () => new Date(), random: Math.random, sleep: (ms: number) => sleep(ms, never) };
    return await wake({ settings, once: argument === '--once', log, ...clock });
  } catch (error) {
    writeLine(2, `autocert-agent: ${messageOf(error)}\n`);
    const isConfiguration = error instanceof AutocertError && error.code === 'INVALID_CONFIG';
    return isConfiguration ? Outcome.misconfigured : Outcome.unknown;
  }
}

/** Past Node's streams, which take time to set up. That nobody reads any more is no reason to end. */
function writeLine(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {}
}
