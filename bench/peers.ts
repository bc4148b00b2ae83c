/**
 * The peers that the benchmarks measure and measure against, each a process of its own: a CA (step-ca where this machine
 * has it, else the embedded one), an API server that answers in constant time, the webhook as it is in the image.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { furnish, makePki, startCa, startWebhook, type Workshop } from '../runtime/cli/start/parts.ts';
import { Processes } from '../runtime/cli/start/processes.ts';
import { CaClient } from '../runtime/step-ca/client.ts';
import type { InitializedPki } from '../runtime/pki/files.ts';
import { processesNaming } from '../scripts/cluster/processes.ts';
import { waitFor } from '../scripts/cluster/shell.ts';

/** Root of the repository. */
export const ROOT = join(import.meta.dirname, '..');

/** What `npm run build` writes. */
export const BUNDLE = { agent: join(ROOT, 'build/agent.cjs'), autocert: join(ROOT, 'build/autocert.cjs') } as const;

/** Running peers. */
export interface Peers extends AsyncDisposable {
  readonly dir: string;
  readonly pki: InitializedPki;
  /** Which CA it is. */
  readonly caName: string;
  /** Base URL of the webhook. */
  readonly webhook: string;
  readonly webhookPid: number;
  readonly kubeconfig: string;
  readonly processes: Processes;
}

/**
 * Starts all of them; disposing of the result ends them.
 * @param answerMs milliseconds that the API server takes for each answer
 */
export async function startPeers(answerMs: number): Promise<Peers> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-bench-'));
  furnish(dir);
  const processes = new Processes(join(dir, 'log'));
  const ends: (() => Promise<unknown>)[] = [() => processes.stop()];
  const stop = async () => {
    for (const end of ends) await end();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const signal = AbortSignal.timeout(600_000);
    const workshop: Workshop = { dir, processes, program: BUNDLE.autocert, signal };
    const pki = await makePki(workshop);
    const stepCa = findStepCa();
    if (stepCa === undefined) (await startCa(workshop, pki)).close();
    else ends.push(await startStepCa(stepCa, pki));
    const kubeconfig = join(dir, 'kubeconfig.json');
    void processes.node('api-server', [
      join(import.meta.dirname, 'programs/api-server.ts'),
      kubeconfig,
      String(answerMs),
    ]);
    await waitFor('the API server', async () => existsSync(kubeconfig), { everyMs: 20 });
    const webhook = await startWebhook(workshop, pki, kubeconfig);
    const [webhookPid = 0] = processesNaming(join(dir, 'webhook.json'));
    const caName = stepCa === undefined ? 'embedded CA' : 'step-ca';
    return { dir, pki, caName, webhook, webhookPid, kubeconfig, processes, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function findStepCa(): string | undefined {
  const cache = join(process.env.AUTOCERT_E2E_CACHE ?? join(homedir(), '.cache/autocert-e2e'), 'bin');
  const folders = [...(process.env.PATH ?? '').split(delimiter), cache];
  return folders.map((folder) => join(folder, 'step-ca')).find((file) => existsSync(file));
}

async function startStepCa(file: string, pki: InitializedPki): Promise<() => Promise<unknown>> {
  const child = spawn(file, ['--password-file', pki.caPasswordFile, pki.configFile], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const client = new CaClient({ url: pki.caUrl, roots: [pki.pki.rootPem] });
  const healthy = async () => client.health().then(() => true);
  await waitFor('step-ca', healthy, { everyMs: 20, timeoutMs: 20_000 });
  client.close();
  return () => {
    child.kill();
    return exited;
  };
}
