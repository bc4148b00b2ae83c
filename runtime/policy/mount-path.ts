/**
 * Which paths of a pod's own mounts are in the way of the files, as one regular expression that JavaScript and RE2 (CEL)
 * read alike.
 * @module
 */
import { CERTIFICATE_DIR } from '../contract.ts';
import { escaped } from './patterns.ts';

/** One `/`, however it is spelt. */
const SLASH = '/+(\\./+)*';
const names = CERTIFICATE_DIR.slice(1).split('/').map(escaped);
const last = names.at(-1);

/**
 * The folder of the files or what is below it. By way of `..` every folder of its name counts: nobody writes a path so
 * who means another.
 */
export const MOUNT_AT_FILES = `^(${SLASH}|(\\./+)*)${names.join(SLASH)}(/.*)?$|(^|/)\\.\\.(/.*)?/${last}(/.*)?$`;
