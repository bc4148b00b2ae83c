/**
 * Programs beside the node, in its network, that manage its cluster from there. They end with the process that started them.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kubectl } from '../kubectl.ts';
import { BIN } from '../settings.ts';
import { run, waitFor } from '../shell.ts';

/** Where they run. */
export interface Place {
  readonly kubectl: Kubectl;
  /** A folder for their files and logs. */
  readonly folder: string;
  /** Runs a command in the node's network. */
  readonly inNetwork: (argv: readonly string[]) => readonly string[];
}

/** Some that belong together. */
export class Companions {
  /** Of an administrator of the cluster. */
  readonly kubeconfig: string;
  readonly #place: Place;
  readonly #children = new Map<string, ChildProcess>();

  private constructor(place: Place, kubeconfig: string) {
    this.#place = place;
    this.kubeconfig = kubeconfig;
  }

  /** None yet. */
  static async at(place: Place): Promise<Companions> {
    const { folder, kubectl } = place;
    mkdirSync(folder, { recursive: true });
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, await kubectl.run(['config', 'view', '--raw', '--flatten']), { mode: 0o600 });
    return new Companions(place, kubeconfig);
  }

  /** Starts one; its output goes to `<name>.log` in the folder. */
  start(name: string, argv: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
    const { folder, inNetwork } = this.#place;
    const log = openSync(join(folder, `${name}.log`), 'a');
    const [file = '', ...args] = ['setpriv', '--pdeathsig=KILL', '--', ...inNetwork(argv)];
    const PATH = `${BIN}:${process.env.PATH}`;
    const env = { ...process.env, PATH, HOME: folder, TMPDIR: folder, KUBECONFIG: this.kubeconfig, ...environment };
    this.#children.set(name, spawn(file, args, { cwd: folder, stdio: ['ignore', log, log], env }));
  }

  /** Waits until one of them says at this URL that it is well; if it does not, or one of them ends, all are ended. */
  async healthy(url: string): Promise<void> {
    const { folder, inNetwork } = this.#place;
    try {
      await waitFor(`${url} to answer; the logs are in ${folder}`, () =>
        run(inNetwork(['curl', '-sf', url])).then(() => true),
      );
      const gone = [...this.#children].filter(([, { exitCode }]) => exitCode !== null).map(([name]) => name);
      if (gone.length > 0) throw new Error(`${gone.join(', ')} ended; the logs are in ${folder}`);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    for (const child of [...this.#children.values()].toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    this.#children.clear();
  }
}
