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
import type { Context } from './context.ts';
import { type Block, blocksOf, outputPattern, settingsFor } from './guide.ts';

const ROOT = join(import.meta.dirname, '../..');

/** How commands of a guide are typed. */
export interface TypingOptions {
  /** Exit codes of which the last command has one; those before it end with 0. @default [0] */
  readonly codes?: readonly number[];
  /** Values of variables, instead of those that the guide sets. */
  readonly set?: Readonly<Record<string, string>>;
}

/** A folder with programs of the names that guides use, for the path. */
export function programsFor({ kubectl, scratch, step }: Pick<Context, 'kubectl' | 'scratch' | 'step'>): string {
  const bin = join(scratch, 'bin');
  mkdirSync(bin, { recursive: true });
  const program = (name: string, argv: readonly string[]) => {
    const words = argv.map((word) => `'${word}'`).join(' ');
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  };
  program('kubectl', kubectl.argv);
  if (step !== 'step') program('step', [step]);
  return bin;
}

/** One guide, typed on this machine, in the network of the cluster. */
export class Typist {
  readonly #context: Pick<Context, 'kubectl' | 'scratch' | 'step' | 'inNetwork'>;
  readonly #blocks: readonly Block[];
  #programs: string | undefined;

  /** @param guide its path in the repository */
  constructor(context: Pick<Context, 'kubectl' | 'scratch' | 'step' | 'inNetwork'>, guide: string) {
    this.#context = context;
    this.#blocks = blocksOf(readFileSync(join(ROOT, guide), 'utf8'));
  }

  /** The folder in which commands are typed: the repository's examples are in it, and what the commands write. */
  get folder(): string {
    const folder = join(this.#context.scratch, 'guide');
    mkdirSync(folder, { recursive: true });
    if (!existsSync(join(folder, 'examples'))) symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
    return folder;
  }

  /** Types the commands of a step, which must end as they should and print what the guide shows; returns that. */
  async type(step: string, part?: string, options: TypingOptions = {}): Promise<readonly string[]> {
    const outputs: string[] = [];
    for (const block of this.#of(step, part)) {
      const { code, stdout } = await tryRun(this.#argv(`exec 2>&1\n${this.#script(block, options)}`));
      outputs.push(compare(block, code, stripVTControlCharacters(stdout), options));
    }
    return outputs;
  }

  /** Types the commands of a step into the shell of a container. */
  async typeInPod(step: string, target: PodShell, options: TypingOptions = {}): Promise<readonly string[]> {
    const { kubectl } = this.#context;
    const outputs: string[] = [];
    for (const block of this.#of(step, 'in the pod')) {
      const shell = ['-n', target.namespace, 'exec', target.pod, '-c', target.container, '--', 'sh', '-c'];
      const { code, stdout, stderr } = await kubectl.try([...shell, `exec 2>&1\n${block.text}`]);
      outputs.push(compare(block, code, stdout || stderr, options));
    }
    return outputs;
  }

  /** Types commands of which the last goes on; when it has printed what the guide shows, `meanwhile` runs, and it is ended. */
  async follow(step: string, part: string, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const [block] = this.#of(step, part);
    assert(block?.output, `${step}, ${part}: the guide shows no output`);
    const lines = block.text.trimEnd().split('\n');
    const text = [...lines.slice(0, -1), `exec ${lines.at(-1)}`].join('\n'); // so that there is nothing else to end
    const running = background(this.#argv(`exec 2>&1\n${this.#script({ ...block, text })}`));
    const pattern = outputPattern(block.output);
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

  /** Has the API server check the manifests of a step, without keeping them. @param change makes them fit this cluster */
  async check(step: string, part: string, change = (yaml: string) => yaml): Promise<void> {
    for (const { text } of this.#of(step, part)) await this.#context.kubectl.apply(change(text), ['--dry-run=server']);
  }

  #of(step: string, part?: string): readonly Block[] {
    const found = this.#blocks.filter((block) => block.step === step && block.part === part);
    assert(found.length > 0, `the guide has no commands for step ${step}${part === undefined ? '' : `, ${part}`}`);
    return found;
  }

  #script(block: Block, { set = {} }: TypingOptions = {}): string {
    const given = Object.entries(set).map(([name, value]) => `${name}='${value}'`);
    const setting = settingsFor(block, this.#blocks);
    return ['set -eo pipefail', `cd '${this.folder}'`, setting, ...given, block.text].join('\n');
  }

  #argv(script: string): readonly string[] {
    const { scratch, inNetwork } = this.#context;
    this.#programs ??= programsFor(this.#context);
    const env = [
      `PATH=${this.#programs}:${process.env.PATH ?? ''}`,
      `STEPPATH=${join(scratch, 'steppath')}`,
      `CURL_HOME=${scratch}`, // where a step may put a .curlrc, in place of DNS
    ];
    return inNetwork(['env', ...env, 'bash', '-c', script]);
  }
}

/** A container with a shell. */
export interface PodShell {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

function compare({ line, text, output }: Block, code: number, printed: string, { codes = [0] }: TypingOptions): string {
  assert(codes.includes(code), `line ${line} of the guide ended with ${code}:\n${text}${printed}`);
  if (output !== undefined && !outputPattern(output).test(printed)) {
    assert.equal(printed, output, `line ${line} of the guide prints something else than it shows`);
  }
  return printed;
}
