/**
 * Exit codes of commands that ask a cluster and tell what they could not ask.
 * @module
 */
import { AutocertError, type ErrorCode } from '../lib/errors.ts';

const UNREACHABLE: readonly ErrorCode[] = ['UNAVAILABLE', 'UNAUTHENTICATED', 'FORBIDDEN'];
/** The cluster cannot be reached, or does not let the user read what is needed. */
const UNREACHABLE_CODE = 3;

/** Runs, and has the process end with 3 when it is the cluster that says no. */
export async function endingUnreachable(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof AutocertError && UNREACHABLE.includes(error.code)) process.exitCode = UNREACHABLE_CODE;
    throw error;
  }
}
