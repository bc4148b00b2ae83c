/**
 * A guide that is a test: its code blocks, each with a comment that says which step types it or why none does, and the output
 * that it shows.
 * @module
 */

/** A code block, or one command of a session (```` ```console ````) with what it prints. */
export interface Block {
  readonly language: string;
  /** Of a session: the line after the prompt. */
  readonly text: string;
  /** Where its fence is, or its prompt, counted from 1. */
  readonly line: number;
  /** Id of the step that types it: of the comment `<!-- e2e: 5.2 -->` before it. */
  readonly step?: string;
  /** Test that types it in place of the end-to-end tests: of the comment `<!-- typed by: test/interop/… -->`. */
  readonly typedBy?: string;
  /** What else either comment says, for a test to tell its blocks apart: `<!-- e2e: 5.2, in the pod -->`. */
  readonly part?: string;
  /** Pages on which a test types the same commands: of the comment `<!-- as in: docs/tutorial.md, docs/pki.md -->`. */
  readonly asIn?: readonly string[];
  /** Why nobody types it: of the comment `<!-- not run: … -->`. */
  readonly notRun?: string;
  /** What it prints: a block of `text` right after it, or what a session shows. */
  readonly output?: string;
}

type Marks = Pick<Block, 'step' | 'part' | 'typedBy' | 'asIn' | 'notRun'>;

const BLOCK = /(?:^<!-- (?<comment>.*) -->\n)?^```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm;
const COMMENT =
  /^(?:not run: (?<notRun>.+)|as in: (?<asIn>.+)|(?:e2e: (?<step>[\d.]+)|typed by: (?<typedBy>[^,]+))(?:, (?<part>.+))?)$/;
const PROMPT = /^\$ /m;

/** The code blocks of a guide, in its order. */
export function blocksOf(markdown: string): readonly Block[] {
  const found = [...markdown.matchAll(BLOCK)].map(({ index, 0: whole, groups }) => ({
    ...{ index, end: index + whole.length, language: groups?.language ?? '', text: groups?.text ?? '' },
    ...marked(groups?.comment),
    line: markdown.slice(0, index).split('\n').length + (groups?.comment === undefined ? 0 : 1),
  }));
  return found.flatMap(({ index: _, end, ...block }, at): readonly Block[] => {
    if (block.language === 'console') return commandsOfSession(block);
    const next = found[at + 1];
    const isOutput = next?.language === 'text' && markdown.slice(end, next.index).trim() === '';
    return [isOutput ? { ...block, output: next.text } : block];
  });
}

/** Each command of a session as a block of its own. */
function commandsOfSession(session: Block): readonly Block[] {
  const [before = '', ...commands] = session.text.split(PROMPT);
  let line = session.line + before.split('\n').length;
  return commands.map((each) => {
    const end = each.indexOf('\n') + 1;
    const [text, output] = [each.slice(0, end), each.slice(end).trimEnd()];
    const block = { ...session, line, text, ...(output !== '' && { output: `${output}\n` }) };
    line += each.split('\n').length - 1;
    return block;
  });
}

function marked(comment = ''): Marks {
  const { asIn, ...others } = COMMENT.exec(comment)?.groups ?? {};
  const said = Object.entries(others).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(said), ...(asIn !== undefined && { asIn: asIn.split(', ') }) };
}

/**
 * The lines that give variables their values which `text` uses and does not set, as the guide has set them before.
 * @param blocks those of the guide
 */
export function settingsFor(block: Block, blocks: readonly Block[]): string {
  const before = blocks.filter(({ language, line }) => language === 'sh' && line < block.line).reverse();
  const setIn = (name: string, text: string) => new RegExp(`^${name}=(?:.*\\\\\\n)*.*$`, 'm').exec(text)?.[0];
  const used = new Set([...block.text.matchAll(/\$([A-Z][A-Z_]*)/g)].map(([, name]) => name ?? ''));
  const lines = [...used].flatMap((name) => {
    if (setIn(name, block.text) !== undefined) return [];
    const setting = before.find(({ text }) => setIn(name, text) !== undefined);
    if (setting === undefined) return [];
    const line = setIn(name, setting.text) ?? '';
    // What it uses itself may be set in the same block.
    const value = { ...setting, line: setting.line + 1, text: line.slice(name.length) };
    return [settingsFor(value, blocks), line];
  });
  return [...new Set(lines.filter((line) => line !== ''))].join('\n');
}

/** Text that differs from run to run, as regular expressions; what a guide shows of it stands for any other. */
const VARYING = [
  '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z',
  '\\b\\d{4}-\\d\\d-\\d\\d\\b',
  '[A-Z][a-z]{2} +\\d+ \\d\\d:\\d\\d:\\d\\d \\d{4} UTC',
  '(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}',
  '0x[0-9a-f]+',
  '[0-9a-f]{32,}',
  '[\\w-]{43}(?![\\w-])',
  '\\d{15,}',
  '\\bv\\d+\\.\\d+\\.\\d+\\b',
  '\\b\\d+(?:\\.\\d+){3}\\b',
  '\\b\\d+:\\d{4,5}/TCP',
  '\\b(?:\\d+[dhms]){1,2}(?![\\w.-])',
  ' +',
];
const ANY_OF_THEM = new RegExp(VARYING.map((source) => `(${source})`).join('|'), 'g');

/** What output has to look like that a guide shows as `documented`: `…` stands for anything, alone on a line for any lines. */
export function outputPattern(documented: string): RegExp {
  const lines = documented.trimEnd().split('\n');
  const patterns = lines.map((line) => (line === '…' ? '(?:.*\\n)*?' : `${linePattern(line)}\\s*\\n`));
  return new RegExp(`^${patterns.join('')}$`);
}

function linePattern(line: string): string {
  return line
    .split('…')
    .map((part) => {
      let [pattern, end] = ['', 0];
      for (const match of part.matchAll(ANY_OF_THEM)) {
        const which = match.slice(1).findIndex((group) => group !== undefined);
        pattern += `${literally(part.slice(end, match.index))}(?:${VARYING[which]})`;
        end = match.index + match[0].length;
      }
      return pattern + literally(part.slice(end));
    })
    .join('.*');
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
