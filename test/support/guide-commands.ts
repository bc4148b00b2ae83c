/**
 * Whether a command that a guide has one type can be right: whether the program has the command and its options, whether the
 * script and the file are there, whether the object is one that is made.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { buildProgram } from '../../runtime/cli/program.ts';
import { kubectlProblem } from './guide-kubectl.ts';
import type { SimpleCommand } from './shell-words.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = buildProgram();
/** Programs whose commands are known here. */
const KNOWN = ['autocert', 'npm', 'npx', 'kubectl'];
/** Programs of others that take what a command prints, or do what needs no check. */
const AROUND = ['base64', 'chmod', 'grep', 'jq', 'source', 'tail', 'xargs'];
/** What stands for something that the reader knows. */
const PLACEHOLDER = /^(?:[A-Z][A-Z_]*|…|\[.*|.*…)$/;

/** What is wrong with it; nothing if nothing is, or if it cannot be known of a program of others behind a pipe. */
export function commandProblem({ words, isPiped }: SimpleCommand): string | undefined {
  const [program = '', ...args] = words;
  if (program === 'autocert') return autocertProblem(args);
  if (program === 'npm') return npmProblem(args);
  if (program === 'npx' && args[0] === 'autocert') return autocertProblem(args.slice(1));
  if (program === 'kubectl' && args[0] === 'autocert') return autocertProblem(args.slice(1));
  if (program === 'npx' && args[0] === 'cdk8s') return undefined;
  if (program === 'kubectl') return kubectlProblem(args);
  if (isPiped || AROUND.includes(program)) return undefined;
  return `${program} is not known here: mark the block as not run, and say why`;
}

/** Whether it can be known what is wrong with it. */
export function isKnown({ words: [program = ''] }: SimpleCommand): boolean {
  return KNOWN.includes(program);
}

/** Of `autocert …`. In prose a command may lack what it takes: `autocert pki rotate`. */
export function autocertProblem(args: readonly string[], { inProse = false } = {}): string | undefined {
  let command: Command = PROGRAM;
  let rest = [...args];
  for (let next = find(command, rest[0]); next !== undefined; next = find(command, rest[0])) {
    command = next;
    rest = rest.slice(1);
  }
  const name = command === PROGRAM ? 'autocert' : `autocert ${pathOf(command)}`;
  const positional: string[] = [];
  const given = new Set<string>();
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] ?? '';
    if (!word.startsWith('-') || word === '-') {
      if (word !== '…') positional.push(word);
      continue;
    }
    const [flag = '', value] = word.split(/=(.*)/s);
    if (flag === '--help' || flag === '-h' || (command === PROGRAM && flag === '--version')) return undefined;
    const option = command.options.find((one) => one.long === flag || one.short === flag);
    if (option === undefined) return `${name} has no option ${flag}`;
    given.add(option.name());
    if (option.isBoolean()) continue;
    const argument = value ?? rest[at + 1];
    if (value === undefined) at += 1;
    if (argument === undefined && !inProse) return `${name} ${flag} takes a value`;
    const choices = option.argChoices;
    if (choices && argument !== undefined && !PLACEHOLDER.test(argument) && !choices.includes(argument)) {
      return `${name} ${flag} takes ${choices.join(', ')}, and not ${argument}`;
    }
  }
  const taken = command.registeredArguments;
  if (command.commands.length > 0 && positional.length > 0) return `${name} has no command ${positional[0]}`;
  if (positional.length > taken.length && !taken.at(-1)?.variadic) return `${name} does not take ${positional.at(-1)}`;
  if (inProse) return undefined;
  if (command.commands.length > 0) return `${name} takes a command`;
  const missing = command.options.find((one) => one.mandatory && !given.has(one.name()));
  if (missing) return `${name} needs ${missing.long}`;
  const wanted = taken.filter((one) => one.required).length;
  return positional.length < wanted ? `${name} takes ${taken.map((one) => one.name()).join(' ')}` : undefined;
}

const find = (command: Command, name: string | undefined) => command.commands.find((one) => one.name() === name);

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent === PROGRAM ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

/** Of `npm ci`, `npm start`, `npm run NAME -- --flag`. */
export function npmProblem(args: readonly string[]): string | undefined {
  const [verb = '', ...rest] = args.filter((word) => word !== '-s');
  if (verb === 'ci' || verb === 'pack') return undefined;
  if (verb === 'install') return rest.find((name) => !isOfAnApp(name)) && `npm install: which package is ${rest}?`;
  const [script, ...flags] = ['start', 'test'].includes(verb) ? [verb, ...rest] : rest;
  const line = Object.entries(packageJson.scripts).find(([name]) => name === script)?.[1];
  if (line === undefined || !['start', 'test', 'run'].includes(verb))
    return `package.json has no script for npm ${args.join(' ')}`;
  const options = flags.slice(flags.indexOf('--') + 1);
  const [, file = '', fixed = ''] = /^node (\S+)(.*)$/.exec(line) ?? [];
  if (file === 'runtime/cli/main.ts') {
    return autocertProblem([...fixed.split(' ').filter((word) => word !== ''), ...options]);
  }
  const source = existsSync(join(ROOT, file)) && file !== '' ? readFileSync(join(ROOT, file), 'utf8') : '';
  const unknown = options.filter((word) => word.startsWith('--')).find((flag) => !takes(source, flag.slice(2)));
  return unknown && `npm run ${script} has no option ${unknown}`;
}

/** What an app of others installs. The package is in no registry, so by its file: whoever has its name there is not us. */
function isOfAnApp(name: string): boolean {
  const packed = `${packageJson.name}-${packageJson.version}.tgz`;
  return name.endsWith(`/${packed}`) || Object.hasOwn(packageJson.peerDependencies, name);
}

/** Whether the program declares the option, for `parseArgs` of Node. */
function takes(source: string, option: string): boolean {
  return source.includes(`'${option}': {`) || new RegExp(`\\b${option}: \\{`).test(source);
}
