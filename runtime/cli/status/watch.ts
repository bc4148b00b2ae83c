/**
 * `autocert status --watch`, and what the dashboard goes by: the status again and again, until somebody wants an end.
 * @module
 */
import { SILENT } from '../../lib/log.ts';
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

/** Between two looks. */
export const EVERY_MS = 2_000;
/** The cursor to the top; what is left of a longer line, and below the last one, goes. */
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** Who learns what has been read. */
export interface FollowEffects<T> {
  readonly onRead: (value: T) => void;
  /** The cluster does not answer any more: why not. It is asked again. */
  readonly onLost: (problem: string) => void;
  /** Milliseconds between two looks. @default two seconds */
  readonly everyMs?: number | (() => number);
  readonly stop: AbortSignal;
  /** @default by the machine's timers */
  readonly sleep?: Sleep;
}

/**
 * Reads again and again until `stop` aborts.
 * @throws what the first `read` throws: later ones are told to `onLost`
 */
export async function follow<T>(read: () => Promise<T>, effects: FollowEffects<T>): Promise<void> {
  const { onRead, onLost, everyMs = EVERY_MS, stop, sleep = realSleep } = effects;
  const look = async () => {
    const value = await read();
    if (!stop.aborted) onRead(value);
  };
  try {
    await look();
  } catch (error) {
    if (stop.aborted) return;
    throw error;
  }
  const onOutcome = (problem: string | undefined) => {
    if (problem !== undefined && !stop.aborted) onLost(problem);
  };
  await sleep(typeof everyMs === 'number' ? everyMs : everyMs(), stop);
  await repeat(look, { everyMs, log: SILENT, signal: stop, sleep, onOutcome });
}

/**
 * Shows what `read` gives, every two seconds. Once something has been shown, a cluster that does not answer is said, and
 * asked again.
 * @throws what the first `read` throws
 */
export async function watchStatus(read: () => Promise<string>, effects: WatchEffects): Promise<void> {
  const { write, now, rows, stop, sleep } = effects;
  let shown = '';
  const show = (text: string) => write(drawn(`${now().toISOString()}\n${text}`, rows?.()));
  await follow(read, {
    onRead: (text) => {
      shown = text;
      show(shown);
    },
    onLost: (problem) => show(`Not asked again since: ${printable(problem)}\n${shown}`),
    stop,
    ...(sleep && { sleep }),
  });
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
