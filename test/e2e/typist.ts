/**
 * Types the commands of a guide as they are printed, into the cluster under test, and compares what they print with what
 * the guide shows.
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { background, tryRun, waitFor } from '../../scripts/cluster/shell.ts';
import { AUTOCERT, kubeconfigOf } from './autocert.ts';
import type { Context } from './context.ts';
import { type Block, blocksOf, outputPattern, settingsFor } from './guide.ts';
import { manifestsOf } from './installed.ts';
import { atTerminal, runInTerminal } from './terminal.ts';

const ROOT = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 180_000;
/** What commands in a clone of the repository go by. */
const CLONE = ['examples', 'runtime', 'scripts', 'package.json'];

/** How commands of a guide are typed. */
export interface TypingOptions {
  /** Exit codes of which the last command has one; those before it end with 0. @default [0] */
  readonly codes?: readonly number[];
  /** Values of variables, instead of those that the guide sets. */
  readonly set?: Readonly<Record<string, string>>;
  /** What the guide makes up, and what is so here: in the commands and in what they print. */
  readonly inPlaceOf?: Readonly<Record<string, string>>;
  /** A command may fail that writes nothing to standard error but such lines: of it only the rest counts. */
  readonly complaints?: RegExp;
  /** Typed at a terminal, where each prompt is answered by the next of these. @default - not at a terminal */
  readonly answers?: readonly string[];
}

/** What a typist needs of a cluster. */
export type TypistContext = Pick<Context, 'kubectl' | 'scratch' | 'step' | 'inNetwork'>;

/** A folder with programs of the names that guides use, for the path. */
function programsFor({ kubectl, scratch, step }: TypistContext): string {
  const bin = join(scratch, 'bin');
  mkdirSync(bin, { recursive: true });
  const program = (name: string, argv: readonly string[]) => {
    const words = argv.map((word) => `'${word}'`).join(' ');
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  };
  program('kubectl', kubectl.argv);
  program('autocert', AUTOCERT);
  if (step !== 'step') program('step', [step]);
  return bin;
}

/** One guide, typed on this machine, in the network of the cluster. */
export class Typist {
  readonly #context: TypistContext;
  readonly #guide: string;
  readonly #blocks: readonly Block[];
  #programs: string | undefined;

  /** @param guide its path in the repository */
  constructor(context: TypistContext, guide: string) {
    this.#context = context;
    this.#guide = guide;
    this.#blocks = blocksOf(readFileSync(join(ROOT, guide), 'utf8'));
  }

  /**
   * The folder in which commands are typed: like a clone of the repository, with the manifests of this run, and with what the
   * commands write.
   */
  get folder(): string {
    const folder = join(this.#context.scratch, 'guide');
    mkdirSync(folder, { recursive: true });
    const links = CLONE.map((name): [string, string] => [name, join(ROOT, name)]);
    for (const [name, target] of [...links, ['dist', manifestsOf(this.#context)] as const]) {
      if (!existsSync(join(folder, name)) && existsSync(target)) symlinkSync(target, join(folder, name));
    }
    return folder;
  }

  /** Types the commands of a step, or of a test, which must end as they should and print what the guide shows; returns that. */
  async type(by: string, part?: string, options: TypingOptions = {}): Promise<readonly string[]> {
    const outputs: string[] = [];
    for (const block of this.#of(by, part)) outputs.push(await this.#typeBlock(renamed(block, options), options));
    return outputs;
  }

  async #typeBlock(block: Block, options: TypingOptions): Promise<string> {
    const script = this.#script(block, options);
    if (options.complaints !== undefined) {
      const { stdout, stderr } = await tryRun(this.#argv(script), { timeoutMs: TIMEOUT_MS });
      const said = stderr.split('\n').filter((line) => line !== '' && !options.complaints?.test(line));
      assert.deepEqual(said, [], `${this.#guide}, line ${block.line}`);
      return stdout;
    }
    const { code, stdout } = options.answers
      ? await runInTerminal(this.#argv(script, atTerminal), options.answers)
      : await tryRun(this.#argv(`exec 2>&1\n${script}`), { timeoutMs: TIMEOUT_MS });
    return this.#compare(block, code, stripVTControlCharacters(stdout), options);
  }

  /** Types the commands of a step into the shell of a container. */
  async typeInPod(step: string, target: PodShell, options: TypingOptions = {}): Promise<readonly string[]> {
    const { kubectl } = this.#context;
    const outputs: string[] = [];
    for (const block of this.#of(step, 'in the pod')) {
      const shell = ['-n', target.namespace, 'exec', target.pod, '-c', target.container, '--', 'sh', '-c'];
      const { code, stdout, stderr } = await kubectl.try([...shell, `exec 2>&1\n${block.text}`]);
      outputs.push(this.#compare(block, code, stdout || stderr, options));
    }
    return outputs;
  }

  /**
   * Types commands of which the last goes on; when it has printed what the guide shows, `meanwhile` runs, and it is ended. Where the
   * guide shows nothing each of them goes on, and is ended when it has printed something.
   */
  async follow(by: string, part: string, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    for (const block of this.#of(by, part)) {
      const lines = block.text.trimEnd().split('\n');
      const scripts = block.output === undefined ? lines.map((line) => [line]) : [lines];
      const pattern = block.output === undefined ? /\S/ : outputPattern(block.output);
      for (const script of scripts) {
        const text = [...script.slice(0, -1), `exec ${script.at(-1)}`].join('\n'); // so that there is nothing else to end
        const running = background(this.#argv(`exec 2>&1\n${this.#script({ ...block, text })}`));
        try {
          await waitFor(`line ${block.line} of the guide to print its output`, async () => {
            if (pattern.test(running.output())) return true;
            throw new Error(running.output());
          });
          await meanwhile();
        } finally {
          await running.stop();
        }
      }
    }
  }

  /** Has the API server check the manifests of a step, without keeping them. @param change makes them fit this cluster */
  async check(step: string, part: string, change = (yaml: string) => yaml): Promise<void> {
    for (const { text } of this.#of(step, part)) await this.#context.kubectl.apply(change(text), ['--dry-run=server']);
  }

  #of(by: string, part?: string): readonly Block[] {
    const found = this.#blocks.filter((block) => [block.step, block.typedBy].includes(by) && block.part === part);
    assert(found.length > 0, `${this.#guide} has no commands for ${by}${part === undefined ? '' : `, ${part}`}`);
    return found;
  }

  #script(block: Block, { set = {}, complaints }: TypingOptions = {}): string {
    const given = Object.entries(set).map(([name, value]) => `${name}='${value}'`);
    const setting = settingsFor(block, this.#blocks);
    const strictness = complaints === undefined ? ['set -eo pipefail'] : [];
    return [...strictness, `cd '${this.folder}'`, setting, ...given, block.text].join('\n');
  }

  #argv(script: string, shell: (text: string) => readonly string[] = atShell): readonly string[] {
    const { scratch, inNetwork } = this.#context;
    this.#programs ??= programsFor(this.#context);
    const env = [
      `PATH=${this.#programs}:${process.env.PATH ?? ''}`,
      `KUBECONFIG=${kubeconfigOf(this.#context)}`,
      'NODE_OPTIONS=', // Jest's are not for programs
      `STEPPATH=${join(scratch, 'steppath')}`,
      `CURL_HOME=${scratch}`, // where a step may put a .curlrc, in place of DNS
    ];
    return inNetwork(['env', ...env, ...shell(script)]);
  }

  #compare({ line, text, output }: Block, code: number, printed: string, { codes = [0] }: TypingOptions): string {
    const where = `${this.#guide}, line ${line}`;
    assert(codes.includes(code), `${where} ended with ${code}:\n${text}${printed}`);
    if (output !== undefined && !outputPattern(output).test(printed)) {
      assert.equal(printed, output, `${where} prints something else than it shows`);
    }
    return printed;
  }
}

const atShell = (text: string): readonly string[] => ['bash', '-c', text];

function renamed(block: Block, { inPlaceOf = {} }: TypingOptions): Block {
  const rename = (text: string) =>
    Object.entries(inPlaceOf).reduce((renamed, [name, here]) => renamed.replaceAll(name, here), text);
  const { text, output } = block;
  return { ...block, text: rename(text), ...(output !== undefined && { output: rename(output) }) };
}

/** A container with a shell. */
export interface PodShell {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}
