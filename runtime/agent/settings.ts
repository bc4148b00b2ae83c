/**
 * The agent's settings, from its environment: every fault is reported at once.
 * @module
 */
import { isIP } from 'node:net';
import { AgentEnv, AttestationToken, CERTIFICATE_DIR } from '../contract.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import { AutocertError } from '../lib/errors.ts';

/** What the agent needs to know to obtain and renew. */
export interface AgentSettings {
  /** Base URL of the CA. */
  readonly caUrl: string;
  /** Pinned roots: SHA-256, lower-case hex. */
  readonly fingerprints: readonly string[];
  /** The pinned roots themselves, each PEM; empty: the CA is asked for them. */
  readonly roots: readonly string[];
  /** Base URL of the token endpoint. */
  readonly autocertUrl: string;
  /** Mode of the files. */
  readonly mode: number;
  /** Addresses by host name. */
  readonly hostAliases: ReadonlyMap<string, string>;
  /** Folder of the three files. */
  readonly dir: string;
  /** Attestation token. */
  readonly tokenFile: string;
}

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_MODE = '0644';

/** Folder of the three files. */
export function certificateDir(env: Environment): string {
  return env[AgentEnv.certificateDir] || CERTIFICATE_DIR;
}

/** Reads the settings; an {@link AutocertError} `INVALID_CONFIG` names every variable that is wrong. */
export function readSettings(env: Environment): AgentSettings {
  const problems: string[] = [];
  const check = <T>(name: string, wanted: string, parse: (text: string) => T | undefined, fallback?: string): T => {
    const text = env[name] || fallback;
    const value = text === undefined ? undefined : parse(text);
    const given = text === undefined ? 'is not set' : `is ${JSON.stringify(text.slice(0, 200))}`;
    if (value === undefined) problems.push(`${name} ${given}; it takes ${wanted}`);
    // Used only when there is no problem.
    return value as T;
  };
  const caUrl = check(AgentEnv.caUrl, 'the https:// URL of the CA', httpsUrl);
  const pinned = check(AgentEnv.fingerprint, 'SHA-256 fingerprints in hex, separated by commas', fingerprints);
  const settings: AgentSettings = {
    caUrl,
    fingerprints: pinned,
    roots: check(AgentEnv.roots, `PEM certificates that ${AgentEnv.fingerprint} names`, rootsOf(pinned), ' '),
    autocertUrl: check(AgentEnv.autocertUrl, 'the https:// URL of the autocert Service', httpsUrl),
    mode: check(AgentEnv.mode, 'an octal file mode such as 0600', fileMode, DEFAULT_MODE),
    hostAliases: check(AgentEnv.hostAliases, 'name=address pairs separated by commas', aliases, ','),
    dir: certificateDir(env),
    tokenFile: env[AgentEnv.tokenFile] || `${AttestationToken.dir}/${AttestationToken.file}`,
  };
  if (problems.length === 0) return settings;
  throw new AutocertError('INVALID_CONFIG', `the agent's environment: ${problems.join('. ')}`);
}

function httpsUrl(text: string): string | undefined {
  return URL.parse(text)?.protocol === 'https:' ? text.replace(/\/+$/, '') : undefined;
}

function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

function fingerprints(text: string): string[] | undefined {
  const found = list(text).map((item) => item.replaceAll(':', '').toLowerCase());
  return found.length > 0 && found.every((item) => /^[0-9a-f]{64}$/.test(item)) ? found : undefined;
}

/** Parses roots; what is not pinned is none. */
function rootsOf(pinned: readonly string[] = []): (text: string) => readonly string[] | undefined {
  return (text) => {
    const roots = splitPem(text);
    if (roots.length === 0) return text.trim() === '' ? roots : undefined;
    try {
      return roots.every((pem) => pinned.includes(fingerprintOf(pem))) ? roots : undefined;
    } catch {
      return undefined;
    }
  };
}

function fileMode(text: string): number | undefined {
  return /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function aliases(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const pair of list(text)) {
    const [name = '', address = ''] = pair.split('=').map((part) => part.trim());
    if (name === '' || isIP(address) === 0) return undefined;
    found.set(name.toLowerCase(), address);
  }
  return found;
}
