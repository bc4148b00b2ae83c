/**
 * Simple commands of a piece of shell script, as words: enough of the shell's grammar for what guides have.
 * @module
 */

/** A command with its arguments. Quotes are taken off; what a variable or a substitution stands for is not known: `$…`. */
export interface SimpleCommand {
  readonly words: readonly string[];
  /** Whether it reads what another one prints. */
  readonly isPiped: boolean;
}

const KEYWORDS = ['for', 'do', 'done', 'while', 'until', 'if', 'then', 'fi', '!'];
/** What ends a command. */
const OPERATORS = ['&&', '||', '|', ';', '&', '\n'];
const UNKNOWN = '$…';

/** The commands of a script, those inside of `$(…)` and `<(…)` included. */
export function commandsOf(script: string): readonly SimpleCommand[] {
  const found: SimpleCommand[] = [];
  const reader = new Reader(script.replaceAll('\\\n', ' '));
  let words: string[] = [];
  let isPiped = false;
  const finish = () => {
    const command = withoutFrame(words);
    if (command.length > 0) found.push({ words: command, isPiped });
    words = [];
  };
  while (!reader.isAtEnd) {
    const operator = reader.operator();
    if (operator !== undefined) {
      finish();
      isPiped = operator === '|';
      continue;
    }
    const redirection = reader.redirection();
    const word = reader.word(found);
    // A redirection's file is no argument.
    if (word !== undefined && !redirection) words.push(word);
  }
  finish();
  return found;
}

/** Without `VAR=value` before it, and without the words of loops. */
function withoutFrame(words: readonly string[]): readonly string[] {
  const [first = '', ...rest] = words;
  if (first === 'for') return [];
  if (KEYWORDS.includes(first) || /^[A-Za-z_]\w*=/.test(first)) return withoutFrame(rest);
  return words;
}

/** Reads a script from its beginning to its end. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  #match(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.#at;
    const [found] = sticky.exec(this.#text) ?? [];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Passes over blanks and comments. */
  operator(): string | undefined {
    this.#match(/[ \t]*(?:#[^\n]*)?/);
    const operator = OPERATORS.find((one) => this.#text.startsWith(one, this.#at));
    this.#at += operator?.length ?? 0;
    return operator;
  }

  redirection(): boolean {
    return this.#match(/\d?(?:>>|>&|>|<(?!\())[ \t]*/) !== undefined;
  }

  /** The next word; commands inside of it go into `found`. */
  word(found: SimpleCommand[]): string | undefined {
    let word: string | undefined;
    while (!this.isAtEnd && !/[\s;&|]/.test(this.#text[this.#at] ?? '')) {
      const [quoted, double] = [this.#match(/'[^']*'/), this.#text[this.#at] === '"'];
      if (quoted !== undefined) word = (word ?? '') + quoted.slice(1, -1);
      else if (this.#text.startsWith('$(', this.#at) || this.#text.startsWith('<(', this.#at)) {
        found.push(...commandsOf(this.#parenthesis()));
        word = (word ?? '') + UNKNOWN;
      } else if (double) word = (word ?? '') + this.#doubleQuoted();
      else word = (word ?? '') + (this.#match(/\\[\s\S]/)?.slice(1) ?? this.#text[this.#at++]);
    }
    return word;
  }

  #doubleQuoted(): string {
    const quoted = this.#match(/"(?:[^"\\]|\\[\s\S])*"/);
    if (quoted === undefined) throw new Error(`a quote is not closed: ${this.#text.slice(this.#at, this.#at + 40)}`);
    return quoted.slice(1, -1);
  }

  /** What is between `$(` and its `)`. */
  #parenthesis(): string {
    const start = this.#at + 2;
    for (let [depth, at] = [1, start]; at < this.#text.length; at += 1) {
      if (this.#text[at] === '(') depth += 1;
      if (this.#text[at] === ')') depth -= 1;
      if (depth > 0) continue;
      this.#at = at + 1;
      return this.#text.slice(start, at);
    }
    throw new Error(`a parenthesis is not closed: ${this.#text.slice(start, start + 40)}`);
  }
}
