/**
 * Programs beside the node, in its network, that manage its cluster from there. They end with the process that started them.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kubectl } from '../kubectl.ts';
import { BIN } from '../settings.ts';
import { type Background, background, run, tied, waitFor } from '../shell.ts';

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
  readonly #programs: Background[] = [];

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
  start(name: string, argv: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
    const { folder, inNetwork } = this.#place;
    const PATH = `${BIN}:${process.env.PATH}`;
    const env = { PATH, HOME: folder, TMPDIR: folder, KUBECONFIG: this.kubeconfig, ...environment };
    const log = join(folder, `${name}.log`);
    this.#programs.push(background(tied(inNetwork(argv)), { cwd: folder, env, log, holds: false }));
  }

  /** Waits until one of them says at this URL that it is well; if it does not, or one of them ends, all are ended. */
  async healthy(url: string): Promise<void> {
    const { folder, inNetwork } = this.#place;
    try {
      const answers = () => run(inNetwork(['curl', '-sf', url])).then(() => true);
      await waitFor(`${url} to answer; the logs are in ${folder}`, answers, { needs: this.#programs });
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    for (const { stop } of this.#programs.splice(0).toReversed()) await stop('SIGKILL');
  }
}
