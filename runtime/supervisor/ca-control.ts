/**
 * Talks with `ca.sh`, which starts and stops step-ca in a container of its own, by files of a folder that both mount. Each
 * side writes one file and reads the other's; every run of step-ca has a number, and an order names the run that it is for.
 * @module
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTextFile } from '../lib/text-file.ts';

/** What `ca.sh` says of step-ca. */
export interface CaState {
  readonly kind: 'running' | 'stopped';
  /** Number of the run: of the one that goes on, or of the one that is to come. */
  readonly run: number;
  /** Of a stopped one why: `start` (the container has started) or `exit:` and the exit code. */
  readonly why: string;
}

/** What `ca.sh` is told; `wait` says that the supervisor is at work, lest step-ca is started without it. */
export type Order = 'go' | 'stop' | 'wait';

const STATE = /^(running|stopped) (\d{1,10}) (\S{1,40})$/;

/** The folder that supervisor and `ca.sh` share. */
export class CaControl {
  readonly #folder: string;
  #beat = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `undefined`: `ca.sh` has not started yet. */
  state(): CaState | undefined {
    let line = '';
    try {
      line = readTextFile(join(this.#folder, 'state')).trim();
    } catch {
      // Not there yet: the same as nothing in it.
    }
    const [, kind, run, why = ''] = STATE.exec(line) ?? [];
    if (kind !== 'running' && kind !== 'stopped') return undefined;
    return { kind, run: Number(run), why };
  }

  /** While it is held, `ca.sh` does not start step-ca without an order, however long it hears nothing. */
  hold(isHeld: boolean): void {
    const file = join(this.#folder, 'hold');
    if (isHeld) writeFileSync(file, '');
    else rmSync(file, { force: true });
  }

  /** Tells `ca.sh` what to do with this run. Every call is another sign of life. */
  order(order: Order, run: number): void {
    this.#beat += 1;
    const file = join(this.#folder, 'order');
    writeFileSync(`${file}.new`, `${order} ${run} ${this.#beat}\n`);
    renameSync(`${file}.new`, file);
  }
}
