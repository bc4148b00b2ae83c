/**
 * What the API server refuses a user, in words by which the user can get on.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import { isDnsLabel } from '../policy/names.ts';

/** What a command needs in its namespace. */
export interface NeededRights {
  /** Such as `the verbs get, create and patch for configmaps`. */
  readonly rights: string;
  /** What stands for them in `kubectl auth can-i`, such as `patch configmap/x`. */
  readonly canI: string;
  /** The same of what it needs beyond the namespace. */
  readonly elsewhere?: { readonly rights: string; readonly canI: string };
  /** The flag that names the namespace. @default '--namespace' */
  readonly flag?: string;
}

/**
 * Runs what is done in a namespace, and explains what the API server refuses.
 * @throws AutocertError `INVALID_INPUT` with the flag when there is no such namespace, or cannot be; `FORBIDDEN` with the
 * missing rights; what `run` throws
 */
export async function inNamespace<T>(namespace: string, needed: NeededRights, run: () => Promise<T>): Promise<T> {
  const { flag = '--namespace' } = needed;
  checkNamespaceName(namespace, flag);
  try {
    return await run();
  } catch (error) {
    const status = error instanceof AutocertError ? error.status : undefined;
    if (status === 403) throw new AutocertError('FORBIDDEN', missing(namespace, needed), { cause: error });
    if (status !== 404) throw error;
    throw new AutocertError('INVALID_INPUT', `there is no namespace ${namespace}: name Autocert's by ${flag}`);
  }
}

/** @throws AutocertError `INVALID_INPUT` when no namespace can have the name that `flag` gave */
export function checkNamespaceName(namespace: string, flag = '--namespace'): void {
  if (isDnsLabel(namespace)) return;
  throw new AutocertError('INVALID_INPUT', `${flag} ${JSON.stringify(namespace.slice(0, 100))} cannot be a namespace`);
}

function missing(namespace: string, { rights, canI, elsewhere }: NeededRights): string {
  const [also, tryAlso] = elsewhere
    ? [`, and ${elsewhere.rights}`, `; kubectl auth can-i ${elsewhere.canI}`]
    : ['', ''];
  return `you may not do this: it takes ${rights} in namespace ${namespace}${also} (try kubectl -n ${namespace} auth can-i ${canI}${tryAlso})`;
}
