/**
 * `autocert status --watch`: the status again and again, until somebody wants an end.
 * @module
 */
import { sleep as realSleep, repeat, type Sleep } from '../../lib/loops.ts';
import { printable } from '../terminal.ts';

/** How it is shown. */
export interface WatchEffects {
  readonly write: (text: string) => void;
  /** Lines of the terminal, which is drawn anew each time. Absent: it is none, and each status follows the one before. */
  readonly rows?: () => number;
  /** Aborts when it has to end. */
  readonly stop: AbortSignal;
  readonly now: () => Date;
  /** @default by the machine's timers */
  readonly sleep?: Sleep;
}

const EVERY_MS = 2_000;
/** The cursor to the top; what is left of a longer line, and below the last one, goes. */
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const SILENT = { info() {}, warn() {}, error() {} };

/**
 * Shows what `read` gives, every two seconds. Once something has been shown, a cluster that does not answer is said, and
 * asked again.
 * @throws what the first `read` throws
 */
export async function watchStatus(read: () => Promise<string>, effects: WatchEffects): Promise<void> {
  const { stop, sleep = realSleep } = effects;
  let shown: string | undefined;
  const show = (text: string) => {
    if (!stop.aborted) effects.write(drawn(`${effects.now().toISOString()}\n${text}`, effects.rows?.()));
  };
  const look = async () => {
    shown = await read();
    show(shown);
  };
  try {
    await look();
  } catch (error) {
    if (stop.aborted) return;
    throw error;
  }
  const onOutcome = (problem: string | undefined) => {
    if (problem !== undefined) show(`Not asked again since: ${printable(problem)}\n${shown}`);
  };
  await sleep(EVERY_MS, stop);
  await repeat(look, { everyMs: EVERY_MS, log: SILENT, signal: stop, sleep, onOutcome });
}

/** A text longer than the terminal would scroll away under the next one. */
function drawn(text: string, rows: number | undefined): string {
  if (rows === undefined) return `${text}\n`;
  const lines = text.trimEnd().split('\n');
  const room = Math.max(2, rows - 1);
  const hidden = lines.length - room;
  const fit = hidden > 0 ? [...lines.slice(0, room - 1), `… and ${hidden + 1} more lines`] : lines;
  return `${HOME}${fit.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`;
}
