/**
 * The program `autocert supervisor --config …`: the container beside step-ca.
 * @module
 */
import { join } from 'node:path';
import { checkFile, rewriteFile } from '../bbolt/file.ts';
import { neededBy } from '../bbolt/needed.ts';
import { PkiFile, type SupervisorConfig } from '../contract.ts';
import { messageOf } from '../lib/errors.ts';
import { eventLoopLateness } from '../lib/event-loop.ts';
import { serveHealth } from '../lib/health-server.ts';
import { httpsJson } from '../lib/https.ts';
import type { Log } from '../lib/log.ts';
import { sleep } from '../lib/loops.ts';
import { serverLog } from '../lib/server-log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { readTextFile } from '../lib/text-file.ts';
import { CaControl } from './ca-control.ts';
import { readSupervisorConfig } from './config.ts';
import { Database } from './database.ts';
import { DatabaseWatch } from './database-watch.ts';
import { FollowedSet } from './followed-set.ts';
import { readInputs } from './inputs.ts';
import { type SupervisorMetrics, supervisorMetrics } from './metrics.ts';
import { SetStore } from './set-store.ts';
import { Supervisor } from './supervisor.ts';
import { volumeOf, writeProblem } from './volume.ts';

const now = () => new Date();
const monotonic = () => performance.now();
const random = Math.random;
const engine = { checkFile, rewriteFile };
/** Milliseconds in which a step-ca that works has answered. */
const HEALTH_TIMEOUT_MS = 5_000;
const AFTER_FAULT_MS = 1_000;

/** Runs until SIGTERM or SIGINT. */
export async function runSupervisor(configFile: string): Promise<void> {
  await superviseUntil(stopSignal(), readSupervisorConfig(configFile), serverLog('supervisor'));
}

/** {@link runSupervisor} with everything given. */
async function superviseUntil(stop: AbortSignal, config: SupervisorConfig, log: Log): Promise<void> {
  const metrics = supervisorMetrics();
  const control = new CaControl(config.control);
  const health = async () => {
    const ca = readTextFile(join(config.out, 'current', PkiFile.root));
    const url = `${config.caUrl.replace(/\/+$/, '')}/health`;
    const { status } = await httpsJson({ url, ca, timeoutMs: HEALTH_TIMEOUT_MS, signal: stop });
    if (status !== 200) throw new Error(`${url} answered ${status}`);
  };
  const supervisor = new Supervisor({
    control,
    sets: new SetStore(config.out),
    followed: new FollowedSet(() => readInputs(config.inputs), log),
    database: config.database && databaseWatch(config.database, control, metrics, log, stop),
    health,
    metrics,
    log,
    now,
    monotonic,
    random,
    lateness: eventLoopLateness(),
    spreadMs: config.restartSpreadSeconds * 1000,
  });
  const notReady = () => supervisor.notReady();
  const server = await serveHealth(config.port, { notReady, metrics });
  log.info({ port: server.port }, 'listening');
  let said: string | undefined = '';
  while (!stop.aborted) {
    const pause = await supervisor.look().catch((error: unknown) => {
      if (!stop.aborted) log.error({ reason: messageOf(error) }, 'something unforeseen: trying again');
      return AFTER_FAULT_MS;
    });
    metrics.ready(notReady() === undefined);
    if (notReady() !== said) log.info({ notReady: notReady() }, notReady() === undefined ? 'ready' : 'not ready');
    said = notReady();
    await sleep(pause, stop);
  }
  await server.close();
}

function databaseWatch(
  { file, scratch }: NonNullable<SupervisorConfig['database']>,
  control: CaControl,
  metrics: SupervisorMetrics,
  log: Log,
  signal: AbortSignal,
): DatabaseWatch {
  const isStopped = () => control.state()?.kind === 'stopped';
  const keep = () => neededBy(now());
  const hold = (isHeld: boolean) => control.hold(isHeld);
  const database = new Database({ file, scratch, engine, keep, isStopped, hold, monotonic, log, signal });
  return new DatabaseWatch({ database, volumeOf, writeProblem, metrics, now, monotonic, random });
}
