/**
 * What may come next on a command line of `autocert`: read from the commands themselves, so that it is never another than
 * what they take. Pure.
 * @module
 */
import type { Command, Option } from 'commander';

/** One word that may come next. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What may come next. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Files, or folders, may come as well. */
  readonly paths?: 'files' | 'folders';
}

/** Words of a command line that are looked at. */
const MAX_WORDS = 1_000;
const NOTHING: Completion = { candidates: [] };

/**
 * Completes the last of `words`, which may be empty.
 * @param words those behind the program's name
 */
export function complete(program: Command, words: readonly string[]): Completion {
  // bash splits `--output=json` at its sign.
  const given = words.slice(0, MAX_WORDS).filter((word, index) => word !== '=' || index === words.length - 1);
  const last = given.at(-1) ?? '';
  const current = last === '=' ? '' : last;
  const { command, position, open, onlyArguments } = walk(program, given.slice(0, -1));
  if (open) return matching(valuesOf(open), current);
  if (onlyArguments) return matching(argumentAt(command, position), current);
  const [, name, value] = /^(--[^=]+)=(.*)$/.exec(current) ?? [];
  const assigned = name === undefined ? undefined : optionNamed(command, name);
  if (assigned && value !== undefined) return prefixed(matching(valuesOf(assigned), value), `${name}=`);
  if (current.startsWith('-')) return matching({ candidates: optionsOf(command) }, current);
  const { candidates, ...paths } = argumentAt(command, position);
  return matching({ candidates: [...subcommandsOf(command), ...candidates], ...paths }, current);
}

/** Where the words before the last lead. */
interface Place {
  readonly command: Command;
  /** Arguments of the command that are given. */
  readonly position: number;
  /** An option whose value comes next. */
  readonly open: Option | undefined;
  /** `--` has been. */
  readonly onlyArguments: boolean;
}

function walk(program: Command, words: readonly string[]): Place {
  let command = program;
  let position = 0;
  let open: Option | undefined;
  let onlyArguments = false;
  for (const word of words) {
    if (open) open = undefined;
    else if (onlyArguments) position += 1;
    else if (word === '--') onlyArguments = true;
    else if (word.startsWith('-') && word !== '-') open = word.includes('=') ? undefined : valued(command, word);
    else {
      const next = position === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      command = next ?? command;
      position = next ? 0 : position + 1;
    }
  }
  return { command, position, open, onlyArguments };
}

function optionNamed(command: Command, word: string): Option | undefined {
  return command.options.find(({ long, short }) => word === long || word === short);
}

function valued(command: Command, word: string): Option | undefined {
  const option = optionNamed(command, word);
  return option && (option.required || option.optional) ? option : undefined;
}

function valuesOf({ argChoices, flags }: Option): Completion {
  if (argChoices) return { candidates: argChoices.map((word) => ({ word, description: '' })) };
  return pathsNamed(/<([\w-]+)/.exec(flags)?.[1] ?? '');
}

function argumentAt({ registeredArguments }: Command, position: number): Completion {
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[position] ?? (last?.variadic ? last : undefined);
  if (argument?.argChoices) return { candidates: argument.argChoices.map((word) => ({ word, description: '' })) };
  return argument ? pathsNamed(argument.name()) : NOTHING;
}

/** By the word in the help: `<file>`, `<folder>`. */
function pathsNamed(placeholder: string): Completion {
  if (placeholder === 'file') return { ...NOTHING, paths: 'files' };
  return placeholder === 'folder' ? { ...NOTHING, paths: 'folders' } : NOTHING;
}

function subcommandsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => ({ word: each.name(), description: each.description() }));
}

function optionsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.flatMap(({ long, short, description }) => {
    const word = long ?? short;
    return word ? [{ word, description }] : [];
  });
}

function matching({ candidates, ...paths }: Completion, beginning: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(beginning)), ...paths };
}

function prefixed({ candidates, ...paths }: Completion, prefix: string): Completion {
  return { candidates: candidates.map(({ word, ...rest }) => ({ word: prefix + word, ...rest })), ...paths };
}

/** What the shell is to do besides: the numbers of the completion protocol that kubectl speaks with its plugins. */
const Directive = { files: 0, nothing: 4, folders: 16 } as const;

/** The lines that shells and kubectl read: a word, a tab and its description each; last what to do about files. */
export function completionLines({ candidates, paths = undefined }: Completion): string {
  const lines = candidates.map(({ word, description }) => `${word}\t${description.split('\n', 1)[0] ?? ''}`);
  return `${[...lines, `:${Directive[paths ?? 'nothing']}`].join('\n')}\n`;
}
