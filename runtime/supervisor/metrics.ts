/**
 * The supervisor's figures.
 * @module
 */
import type { TableSize } from '../bbolt/file.ts';
import { createMetrics } from '../lib/metrics.ts';
import type { Volume } from './database-size.ts';

/** Why step-ca is restarted; `exit`: it has ended by itself. */
export type RestartReason = (typeof RESTART_REASONS)[number];

const RESTART_REASONS = ['configuration', 'database-size', 'volume-space', 'no-answer', 'exit'] as const;

/** What the supervisor counts and measures. */
export interface SupervisorMetrics {
  /** step-ca was stopped by the supervisor, or has ended by itself. */
  restarted(reason: RestartReason): void;
  /** Whether `/readyz` says that all is well. */
  ready(yes: boolean): void;
  /** Whether what is mounted fits together and is in use. */
  configurationFits(yes: boolean): void;
  /** A configuration has been taken over. */
  configured(at: Date): void;
  measured(databaseBytes: number, volume: Volume): void;
  checked(tables: ReadonlyMap<string, TableSize>): void;
  rewritten(at: Date): void;
  setAside(): void;
  /** The text that Prometheus scrapes. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** Nobody but step-ca makes tables, and it makes about twenty: a damaged file does not make more of them here. */
const MAX_TABLES = 50;

/** Metrics of this process. */
export function supervisorMetrics(): SupervisorMetrics {
  const metrics = createMetrics({ process: true });
  const gauge = (name: string, help: string) => metrics.gauge(name, help, []);
  const restarts = metrics.counter('ca_restarts_total', 'Times that step-ca was restarted or ended, by reason.', [
    'reason',
  ]);
  for (const reason of RESTART_REASONS) restarts.inc({ reason }, 0); // what is there from the beginning is seen to grow
  const ready = gauge('ca_ready', '1: step-ca answers, and its database takes what is written.');
  const fits = gauge(
    'ca_configuration_fits',
    '1: what is mounted fits together and is in use; 0: step-ca runs on an older one.',
  );
  const configured = gauge('ca_configuration_timestamp_seconds', 'When the configuration in use was taken over.');
  const database = gauge('ca_database_bytes', "Size of the database's file.");
  const volumeBytes = gauge('ca_volume_bytes', "Size of the database's volume.");
  const volumeFree = gauge('ca_volume_free_bytes', "Free space of the database's volume.");
  const rewritten = gauge(
    'ca_database_pruned_timestamp_seconds',
    'When the database was last rewritten without what is not needed.',
  );
  const setAside = metrics.counter('ca_database_set_aside_total', 'Damaged databases that were set aside.', []);
  let tables: readonly (readonly [string, TableSize])[] = [];
  metrics.observed('ca_database_entries', 'Entries by table, when step-ca was last started.', ['table'], () =>
    tables.map(([table, { entries }]) => ({ labels: { table }, value: entries })),
  );
  const seconds = (at: Date) => at.getTime() / 1000;
  return {
    restarted: (reason) => restarts.inc({ reason }),
    ready: (yes) => ready.set(yes ? 1 : 0),
    configurationFits: (yes) => fits.set(yes ? 1 : 0),
    configured: (at) => configured.set(seconds(at)),
    measured: (bytes, volume) => {
      database.set(bytes);
      volumeBytes.set(volume.bytes);
      volumeFree.set(volume.free);
    },
    checked: (found) => {
      tables = [...found].slice(0, MAX_TABLES);
    },
    rewritten: (at) => rewritten.set(seconds(at)),
    setAside: () => setAside.inc(),
    render: () => metrics.render(),
    contentType: metrics.contentType,
  };
}
