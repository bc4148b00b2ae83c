/**
 * Waits for the three files: the `postStart` hook that holds a pod's own containers back.
 * @module
 */
import { watch } from 'node:fs';
import { hasCertificateFiles } from './certificate-files.ts';
import { readHeld } from './held.ts';

/** Looks again this often where the file system reports no changes. Milliseconds. */
const POLL = 100;

/** Resolves with `undefined` as soon as `dir` holds a complete and valid set, after `timeoutMs` with what is wrong. */
export function waitForFiles(dir: string, timeoutMs: number): Promise<string | undefined> {
  const problem = () => {
    if (!hasCertificateFiles(dir)) return 'there are no files yet';
    const held = readHeld(dir, new Date());
    return held.usable ? undefined : held.reason;
  };
  if (problem() === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const finish = (result: string | undefined) => {
      stopWatching();
      clearInterval(poll);
      clearTimeout(timer);
      resolve(result);
    };
    const look = () => {
      if (problem() === undefined) finish(undefined);
    };
    const stopWatching = watchFolder(dir, look);
    const poll = setInterval(look, POLL);
    const timer = setTimeout(() => finish(problem()), timeoutMs);
  });
}

/** Watching is for speed only: without it (no inotify left, no folder yet) polling does. */
function watchFolder(dir: string, onChange: () => void): () => void {
  try {
    const watcher = watch(dir, onChange).on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}
