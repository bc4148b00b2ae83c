/**
 * The agent's command line. `wait` is in the way of every pod's start: what it does not need is loaded
 * only when another command asks for it.
 * @module
 */
import { AgentCommand, AgentEnv, ContainerName } from '../contract.ts';
import { parseDuration } from '../policy/duration.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { certificateDir, type Environment } from './settings.ts';
import { waitForFiles } from './wait.ts';

/**
 * While kubelet awaits the hook it neither shows the agent's log nor ends the pod. So the hook fails now and then, which
 * makes kubelet say so in an event, and start the agent anew.
 */
const WAIT_TIMEOUT = '1m';

const USAGE = `Usage: autocert-agent run | once | wait [--timeout DURATION]

  run    obtain a certificate, then renew it until told to stop
  once   obtain a certificate, then end
  wait   end when a valid certificate is there; fail after --timeout (default 1m)

The files are site.crt, site.key and root.crt in ${AgentEnv.certificateDir} (default /var/run/autocert.step.sm).

Environment of run and once:
  ${AgentEnv.caUrl}            https:// URL of the CA
  ${AgentEnv.fingerprint}       SHA-256 fingerprints of the CA's root, separated by commas
  ${AgentEnv.autocertUrl}           https:// URL of the autocert Service
  ${AgentEnv.roots}         PEM of the roots with these fingerprints (default: asked of the CA)
  ${AgentEnv.tokenFile}    the pod's service-account token (default /var/run/secrets/autocert.step.sm/token)
  ${AgentEnv.mode}                   mode of the files (default 0644)
  ${AgentEnv.hostAliases}  name=address pairs separated by commas, asked before DNS
`;

/** Exit codes. */
const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** Runs the agent with these arguments (without the program's name) and gives back the exit code. */
export async function main(argv: readonly string[], env: Environment): Promise<number> {
  const [command, ...rest] = argv;
  try {
    if (argv.some((argument) => argument === '--help' || argument === '-h')) {
      process.stdout.write(USAGE);
      return EXIT.done;
    }
    if (command === AgentCommand.wait) return await wait(rest, env);
    if ((command === AgentCommand.run || command === AgentCommand.once) && rest.length === 0) {
      const { start } = await import('./start.ts');
      await start(command, env);
      return EXIT.done;
    }
    return misused(command === undefined ? 'a command is missing' : `this is not known: ${argv.join(' ')}`);
  } catch (error) {
    process.stderr.write(`autocert-agent: ${messageOf(error)}\n`);
    return error instanceof AutocertError && error.code === 'INVALID_INPUT' ? EXIT.usage : EXIT.failed;
  }
}

async function wait(args: readonly string[], env: Environment): Promise<number> {
  const [flag = '--timeout', timeout = WAIT_TIMEOUT, ...more] = args.flatMap((argument) => argument.split('='));
  if (flag !== '--timeout' || more.length > 0) return misused(`this is not known: ${args.join(' ')}`);
  const dir = certificateDir(env);
  const problem = await waitForFiles(dir, parseDuration(timeout));
  if (problem === undefined) return EXIT.done;
  const log = `the log of the container ${ContainerName.renewer} tells why`;
  process.stderr.write(`autocert-agent: no valid certificate in ${dir} after ${timeout}: ${problem}; ${log}\n`);
  return EXIT.failed;
}

function misused(problem: string): number {
  process.stderr.write(`autocert-agent: ${problem}\n\n${USAGE}`);
  return EXIT.usage;
}
